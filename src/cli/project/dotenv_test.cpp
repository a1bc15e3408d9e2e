#include "cli/project/dotenv.hpp"

#include <gmock/gmock.h>

namespace dg::cli {
namespace {

TEST(Dotenv, ReadsWhatPeopleWrite) {
  const auto read = parse_dotenv(
      "# a comment\n\nA=1\nexport B = two words  # a remark\nC='$A \\n # kept'\nD=\"line\\nnext \\\"x\\\" "
      "\\\\\"\n"
      "E=\nF=a#b\r\nG=\"over\ntwo lines\" # remark\nA=again\nH=${A}");
  EXPECT_THAT(read.skipped, testing::IsEmpty());
  EXPECT_EQ(read.variables, (Environment{{"A", "again"},
                                         {"B", "two words"},
                                         {"C", "$A \\n # kept"},
                                         {"D", "line\nnext \"x\" \\"},
                                         {"E", ""},
                                         {"F", "a#b"},
                                         {"G", "over\ntwo lines"},
                                         {"H", "${A}"}}));
}

TEST(Dotenv, SkipsTheLinesThatCannotBeRead) {
  const auto read = parse_dotenv("A=1\nB=\"x\ny\"\nnonsense\nC='x\nD=2\n=3\n");
  EXPECT_EQ(read.variables, (Environment{{"A", "1"}, {"B", "x\ny"}, {"D", "2"}}));
  EXPECT_THAT(read.skipped,
              testing::ElementsAre("line 4 is not NAME=VALUE", "the quote of line 5 is never closed",
                                   "line 7 is not NAME=VALUE"));
  const auto nul = parse_dotenv(std::string("A=1\nB=x\0y\n", 10));
  EXPECT_EQ(nul.variables, (Environment{{"A", "1"}}));
  EXPECT_THAT(nul.skipped, testing::ElementsAre("line 2 has a NUL in its value"));
}

}  // namespace
}  // namespace dg::cli
