#include "cli/server/data_folder.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/scratch_folder.hpp"

namespace dg::cli {
namespace {

// As the supervisors of one project do that are started together.
TEST(DataFolderTest, SeveralMakeItTogether) {
  constexpr int rounds = 200;
  const ScratchFolder scratch("data");
  std::atomic<int> refused = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto path = scratch.path() / std::to_string(round);
    std::vector<std::jthread> makers;
    for (int i = 0; i < 4; ++i)
      makers.emplace_back([&] {
        if (!make_data_folder(path)) ++refused;
      });
    makers.clear();
    const std::filesystem::directory_iterator files(path);
    EXPECT_EQ(std::distance(begin(files), end(files)), 1);
  }
  EXPECT_EQ(refused, 0);
}

}  // namespace
}  // namespace dg::cli
