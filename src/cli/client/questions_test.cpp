#include "cli/client/questions.hpp"

#include <gtest/gtest.h>

namespace dg::cli {
namespace {

std::vector<Question> questions(const std::string& json) {
  return questions_in(json::View(json));
}

TEST(Questions, AreReadFromAListAndFromAThreadsMap) {
  const auto of_list = questions(R"([{"id":"a","value":"x?"},{"id":"b","value":{"y":1}}])");
  ASSERT_EQ(of_list.size(), 2U);
  EXPECT_EQ(of_list[1].id, "b");
  EXPECT_EQ(of_list[1].value, R"({"y":1})");
  const auto of_map = questions(R"({"t":[{"id":"a","value":1}],"u":[{"id":"b","value":2},{"id":"c"}]})");
  ASSERT_EQ(of_map.size(), 3U);
  EXPECT_EQ(of_map[0].id + of_map[1].id + of_map[2].id, "abc");
  EXPECT_TRUE(questions("{}").empty());
  EXPECT_TRUE(questions("[]").empty());
  EXPECT_TRUE(questions("null").empty());
}

TEST(Questions, OneIsAnsweredByAValueAndSeveralByTheirIds) {
  EXPECT_EQ(how_to_answer("T", questions(R"([{"id":"a","value":"x?"}])")),
            "waits for an answer: duragraph run resume T --value VALUE --watch");
  EXPECT_EQ(how_to_answer("T", questions(R"([{"id":"a","value":"x?"},{"id":"b","value":{"y":1}}])")),
            "waits for 2 answers:\n  a  \"x?\"\n  b  {\"y\":1}\nanswer all with: "
            R"(duragraph run resume T --value '{"a": VALUE, "b": VALUE}' --watch)");
}

TEST(Questions, ALongOneIsShortenedBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "ü";
  const auto lines = question_lines(questions(R"([{"id":"a","value":")" + text + R"("}])"));
  EXPECT_LT(lines.size(), 180U);
  EXPECT_TRUE(lines.ends_with("ü …\n")) << lines;
}

TEST(Questions, ABreakpointIsPassedWithoutAnAnswer) {
  EXPECT_EQ(how_to_go_on("T", json::View(R"(["b","c"])")),
            "has stopped before b, c and asks nothing; go on with: duragraph run resume T --watch");
}

TEST(ReadAnswer, TakesJsonAndPlainText) {
  for (const std::string json : {R"({"a":[1]})", "[1]", R"("x")", "12", "true", "null", R"( {"a":1})"})
    EXPECT_EQ(read_answer("--value", json).value(), json);
  EXPECT_EQ(read_answer("--value", "yes").value(), R"("yes")");
  EXPECT_EQ(read_answer("--value", "").value(), R"("")");
  EXPECT_EQ(read_answer("--value", " ").value(), R"(" ")");
  EXPECT_EQ(read_answer("--value", "True, I'd say {so}").value(), R"("True, I'd say {so}")");
}

TEST(ReadAnswer, RefusesWhatBeginsLikeJsonAndSaysHowToQuoteIt) {
  for (const std::string broken : {"{bad", "[draft] fine", "\"yes", "  {bad", "{'a': 1}", "{}}"}) {
    const auto refused = read_answer("--value", broken);
    ASSERT_FALSE(refused) << broken;
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    EXPECT_TRUE(refused.error().message.starts_with("--value: not valid JSON at byte "))
        << refused.error().message;
  }
  EXPECT_TRUE(read_answer("--value", "{it's").error().message.ends_with(R"(does: --value '"{it'\''s"')"));
  EXPECT_TRUE(read_answer("--value", "{" + std::string(500, 'x')).error().message.ends_with(R"('"…"')"));
}

}  // namespace
}  // namespace dg::cli
