#include "cli/access/holder.hpp"

#include <gtest/gtest.h>

namespace dg::cli {
namespace {

TEST(Durations, HaveAUnit) {
  using std::chrono::seconds;
  EXPECT_EQ(read_duration("90s"), seconds(90));
  EXPECT_EQ(read_duration("30m"), seconds(1800));
  EXPECT_EQ(read_duration("12h"), seconds(43200));
  EXPECT_EQ(read_duration("7d"), seconds(604800));
  for (const auto* const wrong :
       {"", "s", "7", "0s", "-1s", "1.5h", "1 h", "1w", "h1", "4000d", "99999999999999999d"})
    EXPECT_FALSE(read_duration(wrong)) << wrong;
}

}  // namespace
}  // namespace dg::cli
