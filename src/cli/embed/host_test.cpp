#include "cli/embed/host.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "base/scratch_folder.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

class UnpackHost : public testing::Test {
 protected:
  ScratchFolder folder_{"host"};
  fs::path dir_ = folder_.path();
};

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(UnpackHost, WritesEveryFileAsItIs) {
  const auto path = unpack_host(dir_);
  ASSERT_TRUE(path) << path.error().message;
  ASSERT_FALSE(host_files().empty());
  for (const auto& file : host_files())
    EXPECT_EQ(content_of(*path / "duragraph_host" / file.path), file.content);
  EXPECT_TRUE(std::ranges::any_of(host_files(), [](const auto& f) { return f.path == "__main__.py"; }));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()), 1);
}

TEST_F(UnpackHost, LeavesACompleteOneAlone) {
  const auto path = unpack_host(dir_);
  ASSERT_TRUE(path);
  std::ofstream(*path / "mark") << "x";
  ASSERT_EQ(unpack_host(dir_).value(), *path);
  EXPECT_TRUE(fs::exists(*path / "mark"));
}

TEST_F(UnpackHost, MendsADamagedOne) {
  const auto path = unpack_host(dir_);
  ASSERT_TRUE(path);
  std::ofstream(*path / "duragraph_host" / "__main__.py", std::ios::trunc).close();
  const auto again = unpack_host(dir_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_GT(fs::file_size(*again / "duragraph_host" / "__main__.py"), 0u);
}

TEST_F(UnpackHost, SaysWhereItCannotWrite) {
  std::ofstream(dir_ / "file") << "x";
  const auto path = unpack_host(dir_ / "file");
  ASSERT_FALSE(path);
  EXPECT_NE(path.error().message.find((dir_ / "file").string()), std::string::npos);
}

}  // namespace
}  // namespace dg::cli
