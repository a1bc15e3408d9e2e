#include "store/postgres/partitions.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/postgres/postgres_store.hpp"
#include "store/postgres/testing/connected.hpp"

namespace dg::store::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

// Three partitions of each table: of today, with all that is older, and of the two spans that follow.
class PartitionsTest : public testing::Connected {
 protected:
  PartitionsTest() : Connected(testing::Content::schema), session_(database_.owner()) {}

  void SetUp() override {
    Connected::SetUp();
    store_ = make_postgres_store(loop_.env, {.connect = database_.options()});
  }

  // As if that long had passed; a span of time lasts 28 days.
  DroppedPartitions drop(Duration later) {
    auto dropped = loop_.wait(drop_empty_partitions(*connection_, loop_.env.clock.now() + later));
    EXPECT_TRUE(dropped) << dropped.error().message;
    return dropped.value_or(DroppedPartitions{});
  }
  std::vector<std::string> partitions(const std::string& table) {
    std::vector<std::string> out;
    for (const auto& row : session_.run("SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = '" +
                                        table + "'::regclass ORDER BY 1"))
      out.push_back(row[0]);
    return out;
  }
  // A run with an event and a frame, which was made that long from now.
  std::string add_run(std::chrono::hours later) {
    const auto id = session_.value(
        fmt::format("SELECT duragraph_first_id(now() + interval '{} hours') || '-7000-8000-' || "
                    "substr(md5(random()::text), 1, 12)",
                    later.count()));
    Commit commit;
    commit.appends.push_back({domain::AggregateType::run, id, 0, "", {{"RunCreated", "{}"}}});
    commit.changes.emplace_back(AppendFrames{id, "", {{"values", "1"}}});
    commit_or_fail(std::move(commit));
    return id;
  }
  void erase_frames(const std::string& run_id) {
    Commit commit;
    commit.changes.emplace_back(EraseFrames{{run_id}});
    commit_or_fail(std::move(commit));
  }
  void commit_or_fail(Commit commit) {
    const auto done = loop_.wait(store_->commit(std::move(commit)));
    EXPECT_TRUE(done) << done.error().message;
  }
  std::int64_t frames(const std::string& run_id) { return loop_.wait(store_->frame_count(run_id)).value(); }

  testing::Session session_;
  std::unique_ptr<Store> store_;
};

TEST_F(PartitionsTest, OnlyEmptyOnesGoWhoseTimeIsOver) {
  ASSERT_THAT(partitions("run_segments"), SizeIs(3));
  EXPECT_THAT(drop(0s).names, IsEmpty());
  const auto run = add_run(0h);
  const auto held = partitions("run_segments").front();
  const auto next = partitions("run_segments").at(1);
  EXPECT_THAT(drop(24h * 56).names, ElementsAre(::testing::StartsWith("run_events_p"), next));
  EXPECT_EQ(frames(run), 1);
  erase_frames(run);
  EXPECT_THAT(drop(24h * 56).names, ElementsAre(held));
  // Its events stay.
  EXPECT_THAT(partitions("run_events"), SizeIs(2));
  EXPECT_THAT(partitions("run_segments"), SizeIs(1));
}

TEST_F(PartitionsTest, WhatComesLateIsTakenAllTheSame) {
  const auto old = add_run(-24h * 1000);
  erase_frames(old);
  session_.run("DELETE FROM run_events");
  ASSERT_THAT(drop(24h * 56).names, SizeIs(4));
  // The store has written to them before; so has the statement that it has prepared.
  const auto late = add_run(-24h * 900);
  const auto now = add_run(0h);
  EXPECT_EQ(frames(late), 1);
  EXPECT_EQ(frames(now), 1);
  // One for all that was missing below.
  EXPECT_THAT(partitions("run_segments"), SizeIs(2));
  ASSERT_TRUE(loop_.wait(fill_partitions(*connection_)));
  EXPECT_THAT(partitions("run_segments"), SizeIs(2));
  EXPECT_THAT(partitions("run_events"), SizeIs(2));
}

TEST_F(PartitionsTest, AGapBetweenPartitionsIsFilled) {
  const auto old = add_run(0h);
  ASSERT_TRUE(
      loop_.wait(connection_->query("SELECT duragraph_ensure_partitions(now() + interval '200 days')")));
  const auto before = partitions("run_segments");
  ASSERT_GE(before.size(), 7U);
  ASSERT_FALSE(drop(24h * 130).names.empty());
  ASSERT_LT(partitions("run_segments").size(), before.size() - 2);
  const auto late = add_run(24h * 40);
  EXPECT_EQ(frames(late), 1);
  EXPECT_EQ(frames(old), 1);
  EXPECT_EQ(frames(add_run(24h * 100)), 1);
}

// Whoever comes while it waits waits behind it, so it gives up soon.
TEST_F(PartitionsTest, ATableInUseIsTriedAgainLater) {
  session_.run("BEGIN; SELECT FROM run_segments");
  const auto first = drop(24h * 56);
  EXPECT_TRUE(first.busy);
  EXPECT_THAT(first.names, SizeIs(2));  // those of run_events
  EXPECT_EQ(frames(add_run(0h)), 1);
  session_.run("COMMIT");
  const auto second = drop(24h * 56);
  EXPECT_FALSE(second.busy);
  EXPECT_THAT(second.names, SizeIs(1));
}

// What came in after it had looked empty keeps it.
TEST_F(PartitionsTest, ItIsLookedIntoUnderTheLock) {
  add_run(0h);
  const auto held = partitions("run_segments").front();
  EXPECT_EQ(session_.value("SELECT duragraph_drop_partition('run_segments', '" + held + "')"), "f");
  EXPECT_EQ(session_.value("SELECT duragraph_drop_partition('run_segments', 'run_events')"), "f");
  EXPECT_THAT(partitions("run_segments"), SizeIs(3));
}

}  // namespace
}  // namespace dg::store::postgres
