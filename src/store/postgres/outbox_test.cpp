#include "store/postgres/outbox.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "store/postgres/postgres_store.hpp"
#include "store/postgres/testing/database.hpp"
#include "store/postgres/testing/loop.hpp"

namespace dg::store::postgres {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Loop;
using testing::Session;
using testing::TestDatabase;
using ::testing::UnorderedElementsAre;

using Names = std::vector<std::string>;

std::string name_of(const PublishedEvent& published) {
  const auto& event = published.event;
  return event.aggregate_id + ":" + std::to_string(event.version) + (published.without_payload ? "!" : "");
}

class OutboxTest : public ::testing::Test {
 protected:
  std::unique_ptr<Outbox> open(OutboxLimits limits = {}) {
    return make_postgres_outbox(loop_.env, database_.options(), limits);
  }
  void append(domain::AggregateType type, const std::string& id, const Names& payloads) {
    Append append{.aggregate = type, .id = id, .expected_version = {}, .thread_id = {}, .events = {}};
    for (const auto& payload : payloads) append.events.push_back({"Something", payload});
    Commit commit;
    commit.appends.push_back(std::move(append));
    const auto committed = loop_.wait(store_->commit(std::move(commit)));
    ASSERT_TRUE(committed) << committed.error().message;
  }
  void append(const std::string& id, int count = 1) {
    append(domain::AggregateType::thread, id, Names(static_cast<std::size_t>(count), "{}"));
  }
  Outbox::Publish noting(Names& published) {
    return [this, &published](const std::vector<PublishedEvent>& events) -> Task<Result<std::int64_t>> {
      for (const auto& event : events) published.push_back(name_of(event));
      co_return sequence_ += std::ssize(events);
    };
  }
  static Outbox::Publish refusing() {
    return [](const std::vector<PublishedEvent>&) -> Task<Result<std::int64_t>> {
      co_return fail(Errc::unavailable, "away");
    };
  }
  // All that comes of repeating it until there is no more.
  template <class Step>
  Names all(Outbox& outbox, Step step) {
    Names published;
    while (true) {
      const auto relayed = loop_.wait((outbox.*step)(noting(published)));
      EXPECT_TRUE(relayed) << relayed.error().message;
      if (!relayed || !relayed->more) return published;
    }
  }
  Names relay(Outbox& outbox) { return all(outbox, &Outbox::relay); }
  Names refill(Outbox& outbox) { return all(outbox, &Outbox::refill); }
  static Names versions_of(const Names& published, const std::string& id) {
    Names out;
    std::ranges::copy_if(published, std::back_inserter(out),
                         [&](const auto& name) { return name.starts_with(id + ":"); });
    return out;
  }

  TestDatabase database_;
  Loop loop_;
  std::unique_ptr<Store> store_ = make_postgres_store(loop_.env, {.connect = database_.options()});
  std::unique_ptr<Outbox> outbox_ = open();
  std::int64_t sequence_ = 0;
};

TEST_F(OutboxTest, GivesEachEventOnceInTheOrderOfItsAggregate) {
  append("t1", 2);
  append(domain::AggregateType::run, "0198c5a2-7f00-7000-8000-000000000001", {"{}", "{}"});
  append("t2");
  append("t1");
  const auto published = relay(*outbox_);
  EXPECT_EQ(published.size(), 6U);
  EXPECT_THAT(versions_of(published, "t1"), ElementsAre("t1:1", "t1:2", "t1:3"));
  EXPECT_EQ(versions_of(published, "0198c5a2-7f00-7000-8000-000000000001").size(), 2U);
  EXPECT_THAT(relay(*outbox_), IsEmpty());
  EXPECT_EQ(database_.owner().value("SELECT count(*) FROM outbox"), "0");
}

TEST_F(OutboxTest, SaysThatThereAreEventsWhenTheyAreCommitted) {
  int told = 0;
  const auto store =
      make_postgres_store(loop_.env, {.connect = database_.options(), .on_events = [&] { ++told; }});
  Commit commit;
  commit.appends.push_back({.aggregate = domain::AggregateType::thread,
                            .id = "t",
                            .expected_version = {},
                            .thread_id = {},
                            .events = {{"E", "{}"}}});
  ASSERT_TRUE(loop_.wait(store->commit(std::move(commit))));
  EXPECT_EQ(told, 1);
  ASSERT_TRUE(loop_.wait(store->commit({.changes = {PutItem{{"a"}, "k", "1"}}})));
  EXPECT_EQ(told, 1);
}

TEST_F(OutboxTest, WhatWasNotPublishedStays) {
  append("t");
  const auto refused = loop_.wait(outbox_->relay(refusing()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "away");
  EXPECT_THAT(relay(*outbox_), ElementsAre("t:1"));
}

// The shard is locked while its events are being published.
TEST_F(OutboxTest, TwoRelaysSideBySideDoNotShareAnAggregate) {
  append("t");
  const auto other = open();
  Names published, by_other;
  const auto relayed =
      loop_.wait(outbox_->relay([&](const std::vector<PublishedEvent>& events) -> Task<Result<std::int64_t>> {
        Commit more;
        more.appends.push_back({.aggregate = domain::AggregateType::thread,
                                .id = "t",
                                .expected_version = {},
                                .thread_id = {},
                                .events = {{"E", "{}"}}});
        EXPECT_TRUE(co_await store_->commit(std::move(more)));
        const auto nothing = co_await other->relay(noting(by_other));
        EXPECT_TRUE(nothing && !nothing->more);
        co_return co_await noting(published)(events);
      }));
  ASSERT_TRUE(relayed) << relayed.error().message;
  EXPECT_THAT(published, ElementsAre("t:1"));
  EXPECT_THAT(by_other, IsEmpty());
  EXPECT_THAT(relay(*other), ElementsAre("t:2"));
}

TEST_F(OutboxTest, TakesAllAtOnceWhereThatIsLittleAndLeavesSomeToOthersWhereItIsMuch) {
  constexpr int many = 300;
  for (int i = 0; i < many; ++i) append("t" + std::to_string(i));
  Names published, by_other;
  ASSERT_TRUE(loop_.wait(outbox_->relay(noting(published))));
  EXPECT_EQ(published.size(), many);

  const auto small = open({.rows = 128});
  for (int i = 0; i < 2 * many; ++i) append("u" + std::to_string(i));
  ASSERT_TRUE(loop_.wait(small->relay(noting(published))));
  const auto relayed =
      loop_.wait(small->relay([&](const std::vector<PublishedEvent>& events) -> Task<Result<std::int64_t>> {
        EXPECT_TRUE(co_await outbox_->relay(noting(by_other)));
        co_return co_await noting(published)(events);
      }));
  ASSERT_TRUE(relayed) << relayed.error().message;
  EXPECT_GT(by_other.size(), many / 2);
}

TEST_F(OutboxTest, TakesAsMuchAsThereIsRoomForAndLeavesLargePayloadsOut) {
  const auto small = open({.rows = 16, .bytes = 2000, .payload = 1000});
  append(domain::AggregateType::thread, "t",
         {'"' + std::string(900, 'x') + '"', '"' + std::string(1500, 'x') + '"'});
  for (int i = 0; i < 4; ++i) append(domain::AggregateType::thread, "t", {'"' + std::string(900, 'x') + '"'});
  EXPECT_THAT(relay(*small), ElementsAre("t:1", "t:2!", "t:3", "t:4", "t:5", "t:6"));
}

TEST_F(OutboxTest, ARefillGivesAllAgainWhileNothingIsRelayed) {
  append("t1", 3);
  append(domain::AggregateType::run, "0198c5a2-7f00-7000-8000-000000000001", {"{}", "{}"});
  relay(*outbox_);
  append("t1");
  ASSERT_TRUE(loop_.wait(outbox_->begin_refill(from_micros(0))));
  EXPECT_TRUE(loop_.wait(outbox_->state())->refilling);
  EXPECT_THAT(relay(*outbox_), IsEmpty());
  const auto again = refill(*open({.bytes = 1}));
  EXPECT_THAT(versions_of(again, "t1"), ElementsAre("t1:1", "t1:2", "t1:3", "t1:4"));
  EXPECT_EQ(versions_of(again, "0198c5a2-7f00-7000-8000-000000000001").size(), 2U);
  EXPECT_FALSE(loop_.wait(outbox_->state())->refilling);
  EXPECT_THAT(relay(*outbox_), ElementsAre("t1:4"));
  EXPECT_THAT(refill(*outbox_), IsEmpty());
}

TEST_F(OutboxTest, ARefillGoesOnWhereItStopped) {
  for (const auto* const id : {"a", "b", "c"}) append(id);
  relay(*outbox_);
  ASSERT_TRUE(loop_.wait(outbox_->begin_refill(from_micros(0))));
  const auto small = open({.bytes = 1});
  Names first;
  ASSERT_TRUE(loop_.wait(small->refill(noting(first))));
  EXPECT_THAT(first, ElementsAre("a:1"));
  EXPECT_FALSE(loop_.wait(small->refill(refusing())));
  EXPECT_THAT(refill(*open()), ElementsAre("b:1", "c:1"));
}

TEST_F(OutboxTest, ARefillLeavesOutWhatIsOlder) {
  append("old");
  append("new");
  relay(*outbox_);
  database_.owner().run(
      "UPDATE events SET occurred_at = now() - interval '2 days' WHERE aggregate_id = 'old'");
  ASSERT_TRUE(loop_.wait(outbox_->begin_refill(loop_.env.clock.now() - 24h)));
  EXPECT_THAT(refill(*outbox_), ElementsAre("new:1"));
}

TEST_F(OutboxTest, BeyondItsBoundItIsEmptiedAndRefilled) {
  const auto small = open({.kept = 2});
  append("a");
  append("b");
  EXPECT_FALSE(loop_.wait(small->trim(from_micros(0))).value().dropped);
  append("c");
  EXPECT_TRUE(loop_.wait(small->trim(from_micros(0))).value().dropped);
  EXPECT_EQ(database_.owner().value("SELECT count(*) FROM outbox"), "0");
  EXPECT_THAT(refill(*small), UnorderedElementsAre("a:1", "b:1", "c:1"));
}

TEST_F(OutboxTest, RemembersTheStreamAndItsNewestMessage) {
  const auto before = loop_.wait(outbox_->state()).value();
  EXPECT_FALSE(before.scope.empty());
  EXPECT_EQ(before.stream.id, "");
  ASSERT_TRUE(loop_.wait(outbox_->set_stream({"made today", 7})));
  sequence_ = 10;
  append("t");
  relay(*outbox_);
  const auto after = loop_.wait(open()->state()).value();
  EXPECT_EQ(after.scope, before.scope);
  EXPECT_EQ(after.stream.id, "made today");
  EXPECT_EQ(after.stream.last_sequence, 11);
}

}  // namespace
}  // namespace dg::store::postgres
