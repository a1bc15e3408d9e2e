#include "cli/client/sse.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace dg::cli {
namespace {

std::vector<std::string> parse(std::string_view text, std::size_t step) {
  std::vector<std::string> seen;
  SseParser parser([&](const SseEvent& e) { seen.push_back(e.id + "|" + e.event + "|" + e.data); });
  for (std::size_t i = 0; i < text.size(); i += step) parser.feed(text.substr(i, step));
  return seen;
}

TEST(SseParser, ReadsFramesCutAnywhere) {
  const std::string text =
      ": heartbeat\n\nid: 0\nevent: metadata\ndata: {\"run_id\":\"r\"}\n\nevent:values\ndata:{}\n\n";
  const std::vector<std::string> expected{"0|metadata|{\"run_id\":\"r\"}", "0|values|{}"};
  for (std::size_t step = 1; step <= text.size(); ++step) EXPECT_EQ(parse(text, step), expected) << step;
}

TEST(SseParser, TakesEveryLineEnding) {
  const std::vector<std::string> expected{"7|a|1\n2", "7|message|x"};
  for (const std::string_view end : {"\n", "\r\n", "\r"}) {
    std::string text;
    for (const std::string_view line : {"id: 7", "event: a", "data: 1", "data: 2", "", "data: x", ""}) {
      text.append(line).append(end);
    }
    for (std::size_t step = 1; step < 5; ++step) EXPECT_EQ(parse(text, step), expected);
  }
}

TEST(SseParser, IgnoresCommentsUnknownFieldsAndEventsWithoutData) {
  EXPECT_EQ(parse(":x\nretry: 5\nevent: nothing\n\ndata\n\n", 3), (std::vector<std::string>{"|message|"}));
}

TEST(SseParser, NeverGivesOutAnUnfinishedEvent) {
  std::vector<SseEvent> seen;
  SseParser parser([&](const SseEvent& e) { seen.push_back(e); });
  parser.feed("id: 1\ndata: a\n\nid: 2\ndata: b\n");
  parser.restart();
  parser.feed("id: 2\ndata: b\n\n");
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].id, "1");
  EXPECT_EQ(seen[1].data, "b");
}

TEST(SseParser, SkipsAByteOrderMark) {
  EXPECT_EQ(parse("\xEF\xBB\xBF"
                  "data: a\n\n",
                  1),
            (std::vector<std::string>{"|message|a"}));
}

}  // namespace
}  // namespace dg::cli
