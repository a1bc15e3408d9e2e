#include "cli/client/watch_view.hpp"

#include <gtest/gtest.h>

namespace dg::cli {
namespace {

// What the view prints for these frames.
std::string shown(const std::vector<std::pair<std::string, std::string>>& frames, bool json = false) {
  testing::internal::CaptureStdout();
  Output output(json);
  WatchView view(output);
  int id = 0;
  for (const auto& [event, data] : frames) view.show({std::to_string(id++), event, data});
  view.end_line();
  return testing::internal::GetCapturedStdout();
}

TEST(WatchView, ShowsARunAsAPersonReadsIt) {
  EXPECT_EQ(
      shown(
          {{"metadata", R"({"run_id":"r","attempt":1})"},
           {"messages", R"([{"type":"AIMessageChunk","id":"1","content":"Hel"},{}])"},
           {"messages|sub:1",
            R"([{"type":"AIMessageChunk","id":"1","content":[{"type":"text","text":"lo"}]},{}])"},
           {"messages",
            R"([{"type":"AIMessageChunk","id":"1","content":"","tool_call_chunks":[{"name":"book","args":"{\"to\":"}]},{}])"},
           {"messages",
            R"([{"type":"AIMessageChunk","id":"1","content":"","tool_call_chunks":[{"name":null,"args":"1}"}]},{}])"},
           {"updates", R"({"agent":{"messages":[]}})"},
           {"messages", R"([{"type":"tool","id":"2","name":"book","content":"booked"},{}])"},
           {"custom", R"("half way")"},
           {"values", R"({"__interrupt__":[{"id":"i","value":"May I?"}]})"},
           {"updates", R"({"__interrupt__":[{"id":"i","value":"May I?"}]})"},
           {"error", R"({"error":"ValueError","message":"boo"})"}}),
      "Hello\n→ book {\"to\":1}\n· agent\n← book booked\ncustom  half way\n? May I?\nValueError: boo\n");
}

TEST(WatchView, ShowsAWholeToolCallOnce) {
  const std::string message =
      R"([{"type":"ai","id":"1","content":"","tool_calls":[{"id":"c","name":"look","args":{"q":1}}]},{}])";
  EXPECT_EQ(shown({{"messages", message}, {"messages", message}}), "→ look {\"q\":1}\n");
}

TEST(WatchView, PrintsFramesAsLinesOfJson) {
  EXPECT_EQ(shown({{"values", R"({"a":1})"}, {"messages|x", "[]"}}, true),
            "{\"id\":\"0\",\"event\":\"values\",\"data\":{\"a\":1}}\n{\"id\":\"1\",\"event\":\"messages|x\","
            "\"data\":[]}\n");
}

}  // namespace
}  // namespace dg::cli
