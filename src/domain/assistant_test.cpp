#include "domain/assistant.hpp"

#include <gtest/gtest.h>

#include <tuple>

namespace dg::domain {
namespace {

auto fields_of(const AssistantContent& content) {
  const auto& [graph, name, description, config, context, metadata] = content;
  return std::tuple(graph, name, description, config, context, metadata);
}
auto fields_of(const AssistantCreated& e) {
  const auto& [content, owner] = e;
  return std::tuple(fields_of(content), owner);
}
auto fields_of(const AssistantUpdated& e) {
  const auto& [content, number] = e;
  return std::tuple(fields_of(content), number);
}
auto fields_of(const AssistantVersionChosen& e) {
  const auto& [content, number] = e;
  return std::tuple(fields_of(content), number);
}
auto fields_of(const AssistantDeleted&) {
  return std::tuple();
}

template <class Event>
void expect_round_trip(std::string_view type, const Event& event) {
  EXPECT_EQ(type_of(event), type);
  const auto read = assistant_event_from(type, payload_of(event));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_TRUE(std::holds_alternative<Event>(*read));
  EXPECT_EQ(fields_of(std::get<Event>(*read)), fields_of(event));
}

AssistantContent content(std::string name) {
  return {"g1",
          std::move(name),
          "what \"it\" does",
          R"({"tags":["x"]})",
          R"({"user":1})",
          R"({"created_by":"system"})"};
}

TEST(AssistantCodec, EveryEventComesBack) {
  expect_round_trip("AssistantCreated", AssistantCreated{content("a")});
  expect_round_trip("AssistantCreated", AssistantCreated{content("a"), "ann"});
  expect_round_trip("AssistantCreated", AssistantCreated{});
  expect_round_trip("AssistantUpdated", AssistantUpdated{content("b"), 2});
  expect_round_trip("AssistantVersionChosen", AssistantVersionChosen{content("a"), 1});
  expect_round_trip("AssistantDeleted", AssistantDeleted{});
}

TEST(AssistantCodec, TellsAnEmptyDescriptionFromNone) {
  auto empty = content("a");
  empty.description = "";
  expect_round_trip("AssistantCreated", AssistantCreated{empty});
  empty.description = std::nullopt;
  expect_round_trip("AssistantCreated", AssistantCreated{empty});
}

TEST(AssistantCodec, RefusesWhatItNeverWrote) {
  EXPECT_EQ(assistant_event_from("AssistantRenamed", "{}").error().code, Errc::internal);
  EXPECT_EQ(assistant_event_from("AssistantCreated", "{}").error().code, Errc::internal);
  auto payload = payload_of(AssistantUpdated{content("a"), 2});
  payload.replace(payload.find(":2}"), 3, ":{}}");
  EXPECT_EQ(assistant_event_from("AssistantUpdated", payload).error().code, Errc::internal);
  EXPECT_EQ(assistant_event_from("AssistantDeleted", "nonsense").error().code, Errc::internal);
}

TEST(AssistantEvolve, NumbersAreNeverUsedTwice) {
  Assistant assistant;
  assistant.id = "a1";
  assistant = evolve(assistant, AssistantCreated{content("one")}, from_micros(10));
  EXPECT_EQ(assistant.number, 1);
  EXPECT_EQ(assistant.newest_number, 1);
  assistant = evolve(assistant, AssistantUpdated{content("two"), 2}, from_micros(20));
  EXPECT_EQ(assistant.number, 2);
  assistant = evolve(assistant, AssistantVersionChosen{content("one"), 1}, from_micros(30));
  EXPECT_EQ(assistant.number, 1);
  EXPECT_EQ(assistant.newest_number, 2);
  EXPECT_EQ(assistant.content.name, "one");
  assistant =
      evolve(assistant, AssistantUpdated{content("three"), assistant.newest_number + 1}, from_micros(40));
  EXPECT_EQ(assistant.number, 3);
  EXPECT_EQ(assistant.newest_number, 3);
  EXPECT_EQ(assistant.created_at, from_micros(10));
  EXPECT_EQ(assistant.updated_at, from_micros(40));
  EXPECT_EQ(assistant.version, 4);
  EXPECT_EQ(fields_of(assistant.content), fields_of(content("three")));
  assistant = evolve(assistant, AssistantDeleted{}, from_micros(50));
  EXPECT_EQ(fields_of(assistant.content), fields_of(content("three")));
  EXPECT_EQ(assistant.version, 5);
}

}  // namespace
}  // namespace dg::domain
