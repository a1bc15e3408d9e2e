#include "base/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace dg {
namespace {

namespace fs = std::filesystem;

TEST(ScratchFolder, IsItsOwnAndGoesWithItsContent) {
  fs::path path;
  {
    const ScratchFolder one("test");
    const ScratchFolder other("test");
    path = one.path();
    EXPECT_NE(path, other.path());
    EXPECT_TRUE(fs::is_empty(path));
    fs::create_directories(path / "a" / "b");
    std::ofstream(path / "a" / "b" / "file") << "text";
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace dg
