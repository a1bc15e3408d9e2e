#include "base/back_off.hpp"

#include <gtest/gtest.h>

namespace dg {
namespace {

using std::chrono::milliseconds;
constexpr BackOff limits{.first = milliseconds(20), .longest = milliseconds(1000)};

TEST(BackOffTest, APauseGrowsUpToTheLongest) {
  constexpr std::uint64_t most = 1023;
  EXPECT_EQ(pause_after(1, limits, most), milliseconds(20));
  EXPECT_EQ(pause_after(2, limits, most), milliseconds(40));
  EXPECT_EQ(pause_after(6, limits, most), milliseconds(640));
  EXPECT_EQ(pause_after(7, limits, most), milliseconds(1000));
  EXPECT_EQ(pause_after(1'000'000'000, limits, most), milliseconds(1000));
}

TEST(BackOffTest, HalfOfItIsAMatterOfChance) {
  EXPECT_EQ(pause_after(1, limits, 0), milliseconds(10));
  EXPECT_GT(pause_after(1, limits, 1), milliseconds(10));
  EXPECT_EQ(pause_after(7, limits, 1024), milliseconds(500));
  for (std::uint64_t chance = 0; chance < 2000; chance += 7) {
    EXPECT_GE(pause_after(3, limits, chance), milliseconds(40));
    EXPECT_LE(pause_after(3, limits, chance), milliseconds(80));
  }
}

}  // namespace
}  // namespace dg
