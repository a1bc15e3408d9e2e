#include "api/langgraph/frame_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace dg::api::langgraph {
namespace {

TEST(SseText, IsAnEventWithTheFramesNumber) {
  EXPECT_EQ(sse_text({7, {"values", R"({"a":1})"}}), "id: 7\nevent: values\ndata: {\"a\":1}\n\n");
  EXPECT_EQ(sse_text({0, {"messages|sub:1", "[]"}}), "id: 0\nevent: messages|sub:1\ndata: []\n\n");
}

// Workers may send JSON with line breaks between its tokens, and whatever as the name of a node.
TEST(SseText, StaysOneEventWhateverTheFrameHolds) {
  EXPECT_EQ(sse_text({1, {"values", "{\r\n  \"a\": 1\n}"}}),
            "id: 1\nevent: values\ndata: {    \"a\": 1 }\n\n");
  const auto odd = sse_text({1, {"values|a\n\nevent: error\ndata: x", "1"}});
  EXPECT_EQ(std::ranges::count(odd, '\n'), 4) << odd;
}

TEST(InModes, AreThoseAskedForAndWhatBelongsToAll) {
  EXPECT_TRUE(in_modes("anything", {})) << "no modes: all of them";
  EXPECT_TRUE(in_modes("values", {"values"}));
  EXPECT_FALSE(in_modes("updates", {"values"}));
  EXPECT_TRUE(in_modes("updates|node:1", {"updates"}));
  EXPECT_FALSE(in_modes("valuesx", {"values"}));
  for (const auto* event : {"metadata", "error"}) EXPECT_TRUE(in_modes(event, {"custom"})) << event;
}

TEST(InModes, MessagesComeInTwoForms) {
  for (const auto* event : {"messages/partial", "messages/complete", "messages/metadata"}) {
    EXPECT_TRUE(in_modes(event, {"messages"})) << event;
    EXPECT_FALSE(in_modes(event, {"messages-tuple"})) << event;
  }
  EXPECT_TRUE(in_modes("messages", {"messages-tuple"}));
  EXPECT_TRUE(in_modes("messages|sub:1", {"messages-tuple"}));
  EXPECT_FALSE(in_modes("messages", {"messages"}));
}

TEST(FrameAfter, GoesOnBehindTheLastFrame) {
  EXPECT_EQ(frame_after(std::nullopt), 0);
  for (const auto* start : {"", "-1", "-"}) EXPECT_EQ(frame_after(start), 0) << start;
  EXPECT_EQ(frame_after("0"), 1);
  EXPECT_EQ(frame_after("41"), 42);
}

TEST(FrameAfter, AnythingElseIsNamed) {
  for (const auto* bad : {"-2", "x", "1x", " 1", "1 ", "1.5", "+1", "0x1", "-0", "007",
                          "99999999999999999999", "9223372036854775807"}) {
    const auto from = frame_after(bad);
    ASSERT_FALSE(from) << bad;
    EXPECT_EQ(from.error().code, Errc::invalid_argument);
    EXPECT_EQ(from.error().fields.at(0).place, "Last-Event-ID");
  }
}

}  // namespace
}  // namespace dg::api::langgraph
