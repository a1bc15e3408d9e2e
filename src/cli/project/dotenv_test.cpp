#include "cli/project/dotenv.hpp"

#include <gtest/gtest.h>

namespace dg::cli {
namespace {

TEST(Dotenv, ReadsWhatPeopleWrite) {
  const auto read = parse_dotenv(
      "# a comment\n\nA=1\nexport B = two words  # a remark\nC='$A \\n # kept'\nD=\"line\\nnext \\\"x\\\" "
      "\\\\\"\n"
      "E=\nF=a#b\r\nG=\"over\ntwo lines\" # remark\nA=again\nH=${A}");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, (Environment{{"A", "again"},
                                {"B", "two words"},
                                {"C", "$A \\n # kept"},
                                {"D", "line\nnext \"x\" \\"},
                                {"E", ""},
                                {"F", "a#b"},
                                {"G", "over\ntwo lines"},
                                {"H", "${A}"}}));
}

TEST(Dotenv, NamesTheLineThatCannotBeRead) {
  const auto no_value = parse_dotenv("A=1\nB=\"x\ny\"\nnonsense\n");
  ASSERT_FALSE(no_value);
  EXPECT_NE(no_value.error().message.find("line 4"), std::string::npos) << no_value.error().message;
  const auto open_quote = parse_dotenv("A=1\nB='x\nC=2\n");
  ASSERT_FALSE(open_quote);
  EXPECT_NE(open_quote.error().message.find("line 2"), std::string::npos) << open_quote.error().message;
}

}  // namespace
}  // namespace dg::cli
