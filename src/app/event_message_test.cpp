#include "app/event_message.hpp"

#include <gmock/gmock.h>

#include "base/json.hpp"

namespace dg::app {
namespace {

using ::testing::Contains;
using ::testing::Pair;

store::PublishedEvent event_of(const std::string& id) {
  return {.event = {.id = "0198c5a2-7f00-7000-8000-0000000000ff",
                    .aggregate = domain::AggregateType::run,
                    .aggregate_id = id,
                    .version = 3,
                    .type = "RunCompleted",
                    .payload = R"({"a":1.50})",
                    .metadata = R"({"project":"default"})",
                    .thread_id = "t",
                    .seq = 9,
                    .at = from_micros(1'769'860'800'000'000)}};
}

TEST(EventMessageTest, HasTheAttributesOfACloudEventAndThePayloadAsItIs) {
  const auto message = event_message(event_of("r"), "db", 1000, false);
  EXPECT_EQ(message.message_id, "run:r:3");
  EXPECT_THAT(message.subject, ::testing::ElementsAre("run", "r", "RunCompleted"));
  EXPECT_THAT(message.headers, Contains(Pair("ce-specversion", "1.0")));
  EXPECT_THAT(message.headers, Contains(Pair("ce-id", "run:r:3")));
  EXPECT_THAT(message.headers, Contains(Pair("ce-type", "duragraph.RunCompleted")));
  EXPECT_THAT(message.headers, Contains(Pair("ce-source", "/duragraph/db")));
  EXPECT_THAT(message.headers, Contains(Pair("ce-subject", "run/r")));
  EXPECT_THAT(message.headers, Contains(Pair("ce-time", "2026-01-31T12:00:00.000000+00:00")));
  EXPECT_THAT(message.headers, ::testing::Not(Contains(Pair("duragraph-replay", "true"))));
  ASSERT_TRUE(json::validate(message.data, json::worker_rules));
  const json::View data(message.data);
  EXPECT_EQ(data["payload"].raw(), R"({"a":1.50})");
  EXPECT_EQ(data["version"].integer(), 3);
  EXPECT_EQ(data["thread_id"].string(), "t");
}

TEST(EventMessageTest, AReplayIsTheSameMessageAndSaysWhatItIs) {
  const auto message = event_message(event_of("r"), "db", 1000, true);
  EXPECT_EQ(message.message_id, "run:r:3");
  EXPECT_THAT(message.headers, Contains(Pair("duragraph-replay", "true")));
}

TEST(EventMessageTest, APayloadThatIsTooLargeIsLeftOut) {
  auto event = event_of("r");
  event.event.payload = '"' + std::string(1000, 'x') + '"';
  const auto message = event_message(event, "db", 900, false);
  EXPECT_LT(message.data.size(), 900U);
  const json::View data(message.data);
  EXPECT_TRUE(data["payload"].is_null());
  EXPECT_EQ(data["payload_omitted"].boolean(), true);
}

TEST(EventMessageTest, NoIdCanAddAHeader) {
  const auto message = event_message(event_of("a\r\nx: y\xC3\xA4"), "db", 1000, false);
  EXPECT_EQ(message.message_id, "run:a%0D%0Ax:%20y%C3%A4:3");
  for (const auto& [name, value] : message.headers)
    EXPECT_THAT(value, ::testing::Not(::testing::HasSubstr("\n")));
}

}  // namespace
}  // namespace dg::app
