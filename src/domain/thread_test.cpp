#include "domain/thread.hpp"

#include <gtest/gtest.h>

#include <tuple>

#include "base/json.hpp"

namespace dg::domain {
namespace {

auto fields_of(const ThreadCreated& e) {
  const auto& [metadata, temporary, owner] = e;
  return std::tuple(metadata, temporary, owner);
}
auto fields_of(const ThreadPatched& e) {
  const auto& [metadata] = e;
  return std::tuple(metadata);
}
auto fields_of(const ThreadBound& e) {
  const auto& [graph, assistant, config] = e;
  return std::tuple(graph, assistant, config);
}
auto fields_of(const ThreadStateUpdated& e) {
  const auto& [checkpoint, ns] = e;
  return std::tuple(checkpoint, ns);
}
auto fields_of(const ThreadCopied& e) {
  const auto& [source, metadata, config, owner] = e;
  return std::tuple(source, metadata, config, owner);
}
auto fields_of(const ThreadDeleted&) {
  return std::tuple();
}

template <class Event>
void expect_round_trip(std::string_view type, const Event& event) {
  EXPECT_EQ(type_of(event), type);
  const auto read = thread_event_from(type, payload_of(event));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_TRUE(std::holds_alternative<Event>(*read));
  EXPECT_EQ(fields_of(std::get<Event>(*read)), fields_of(event));
}

Thread created() {
  Thread thread;
  thread.id = "t1";
  return evolve(thread, ThreadCreated{R"({"a":1,"b":2})"}, from_micros(10));
}

TEST(ThreadEvolve, BelongsToWhomItWasMadeFor) {
  EXPECT_EQ(evolve(Thread{}, ThreadCreated{"{}", false, "ann"}, {}).owner, "ann");
  EXPECT_EQ(evolve(Thread{}, ThreadCopied{"t0", "{}", "{}", "bob"}, {}).owner, "bob");
  EXPECT_EQ(evolve(Thread{}, ThreadCreated{}, {}).owner, std::nullopt);
}

TEST(ThreadCodec, EveryEventComesBack) {
  expect_round_trip("ThreadCreated", ThreadCreated{R"({"a":[1.10]})"});
  expect_round_trip("ThreadCreated", ThreadCreated{"{}", true});
  expect_round_trip("ThreadCreated", ThreadCreated{"{}", false, "ann"});
  EXPECT_FALSE(thread_event_from("ThreadCreated", R"({"metadata":{},"temporary":1})"));
  expect_round_trip("ThreadPatched", ThreadPatched{R"({"a":null})"});
  expect_round_trip("ThreadBound", ThreadBound{"g", "a", R"({"tags":["x"]})"});
  expect_round_trip("ThreadStateUpdated", ThreadStateUpdated{"c1", "child:1"});
  expect_round_trip("ThreadCopied", ThreadCopied{"t0", R"({"k":"v"})", R"({"c":1})"});
  expect_round_trip("ThreadCopied", ThreadCopied{"t0", "{}", "{}", "ann"});
  expect_round_trip("ThreadDeleted", ThreadDeleted{});
}

TEST(ThreadCodec, RefusesWhatItNeverWrote) {
  EXPECT_EQ(thread_event_from("RunCreated", "{}").error().code, Errc::internal);
  EXPECT_EQ(thread_event_from("ThreadBound", "{}").error().code, Errc::internal);
  EXPECT_EQ(thread_event_from("ThreadDeleted", "null").error().code, Errc::internal);
}

TEST(ThreadEvolve, CreatedSetsMetadataAndTime) {
  const auto thread = created();
  EXPECT_EQ(thread.id, "t1");
  EXPECT_EQ(thread.metadata, R"({"a":1,"b":2})");
  EXPECT_EQ(thread.created_at, from_micros(10));
  EXPECT_EQ(thread.updated_at, from_micros(10));
  EXPECT_EQ(thread.version, 1);
}

TEST(ThreadEvolve, PatchesMergeMemberByMember) {
  const auto thread = evolve(created(), ThreadPatched{R"({"b":{"x":1},"c":null})"}, from_micros(20));
  EXPECT_TRUE(json::equal(json::View(thread.metadata), json::View(R"({"a":1,"b":{"x":1},"c":null})")));
  EXPECT_EQ(thread.created_at, from_micros(10));
  EXPECT_EQ(thread.updated_at, from_micros(20));
  EXPECT_EQ(thread.version, 2);
}

TEST(ThreadEvolve, BoundNamesTheGraphInTheMetadata) {
  const auto thread = evolve(created(), ThreadBound{"g", "a1", R"({"k":1})"}, from_micros(20));
  EXPECT_TRUE(json::equal(json::View(thread.metadata),
                          json::View(R"({"a":1,"b":2,"graph_id":"g","assistant_id":"a1"})")));
  EXPECT_EQ(thread.config, R"({"k":1})");
  const auto rebound = evolve(thread, ThreadBound{"h", "a2", "{}"}, from_micros(30));
  EXPECT_EQ(json::View(rebound.metadata)["graph_id"].string(), "h");
  EXPECT_EQ(rebound.config, "{}");
}

TEST(ThreadEvolve, OtherFactsKeepWhatPeopleSet) {
  auto thread = evolve(created(), ThreadStateUpdated{"c1", ""}, from_micros(20));
  thread = evolve(thread, ThreadDeleted{}, from_micros(30));
  EXPECT_EQ(thread.metadata, created().metadata);
  EXPECT_EQ(thread.updated_at, from_micros(30));
  EXPECT_EQ(thread.version, 3);
}

TEST(ThreadEvolve, ACopyBeginsItsOwnLife) {
  Thread thread;
  thread.id = "t2";
  thread = evolve(thread, ThreadCopied{"t1", R"({"thread_id":"t2"})", "{}"}, from_micros(50));
  EXPECT_EQ(thread.metadata, R"({"thread_id":"t2"})");
  EXPECT_EQ(thread.created_at, from_micros(50));
  EXPECT_EQ(thread.version, 1);
}

TEST(ThreadStatus, NamesComeBack) {
  for (const auto status :
       {ThreadStatus::idle, ThreadStatus::busy, ThreadStatus::interrupted, ThreadStatus::error})
    EXPECT_EQ(thread_status_from(to_string(status)), status);
  EXPECT_EQ(thread_status_from("IDLE"), std::nullopt);
}

}  // namespace
}  // namespace dg::domain
