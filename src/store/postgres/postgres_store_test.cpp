// What is PostgreSQL's own: what remains in tables, and how little that is.
#include "store/postgres/postgres_store.hpp"

#include <fmt/format.h>

#include "store/audit/verify.hpp"
#include "store/contract/contract.hpp"
#include "store/postgres/audit.hpp"
#include "store/postgres/testing/database.hpp"

namespace dg::store::postgres {
namespace {

class TestedDatabase final : public contract::Backend {
 public:
  Result<std::unique_ptr<Store>> open(Env env) override {
    return make_postgres_store(env, {.connect = database_.options()});
  }
  const testing::TestDatabase& database() const { return database_; }

 private:
  testing::TestDatabase database_;
};

class PostgresStoreTest : public contract::StoreContract {
 protected:
  void SetUp() override {
    auto backend = std::make_unique<TestedDatabase>();
    database_ = &backend->database();
    backend_ = std::move(backend);
    open();
    session_.emplace(database_->owner());
  }

  std::string value(const std::string& sql) { return session_->value(sql); }
  int number(const std::string& sql) { return std::stoi(value(sql)); }
  int count(std::string_view table) { return number(fmt::format("SELECT count(*) FROM {}", table)); }
  void run(const std::string& sql) { session_->run(sql); }

  // The store of another instance.
  std::unique_ptr<Store> another() { return backend_->open(env_).value(); }

  void end(domain::Run& run) {
    run.state = domain::RunState::completed;
    apply(PutRun{run});
  }
  // The frames of the run are numbers from 0 to that, which stand in that order and at those places.
  void expect_frames(const std::string& run_id, int end) {
    for (const int from : {0, 1, end / 2, end - 1}) {
      const auto page = get(store().frames(run_id, from, 1U << 30));
      ASSERT_EQ(std::ssize(page.frames), end - from);
      for (int i = from; i < end; ++i)
        ASSERT_EQ(page.frames[static_cast<std::size_t>(i - from)].data, std::to_string(i));
    }
  }

  // Nothing is wrong with what hangs on the thread's checkpoints and series.
  void expect_sound() {
    const auto audit = open_postgres_audit(database_->conninfo()).value();
    const auto verified = audit::verify(*audit, 10);
    ASSERT_TRUE(verified) << verified.error().message;
    for (const auto kind : {"part-broken", "part-missing", "part-unreferenced", "recipe-unreadable",
                            "segment-broken", "stream-order", "log-place", "value-unreferenced",
                            "checkpoint-column", "pack-broken", "pack-column"})
      EXPECT_FALSE(verified->findings.counts().contains(kind)) << kind;
  }

  const testing::TestDatabase* database_ = nullptr;
  std::optional<testing::Session> session_;
};

// As the next release may have written it.
TEST_F(PostgresStoreTest, WhatIsUnknownInARequestStays) {
  const auto thread = add_thread();
  auto run = add_run(thread, domain::RunState::in_progress);
  this->run("UPDATE runs SET kwargs = jsonb_set(kwargs::jsonb, '{later}', '1')::text");
  run = get(store().run(run.id)).value();
  end(run);
  EXPECT_EQ(value("SELECT status || (kwargs::jsonb ->> 'later') FROM runs"), "completed1");
}

TEST_F(PostgresStoreTest, SegmentsAreMerged) {
  const auto thread = add_thread();
  auto run = add_run(thread, domain::RunState::in_progress);
  for (int i = 0; i < 130; ++i) apply(AppendFrames{run.id, thread, make_frames(i, 1)});
  EXPECT_EQ(count("run_segments"), 4);  // twice 64, and two that wait
  expect_frames(run.id, 130);
  end(run);
  EXPECT_EQ(count("run_segments"), 3);
  expect_frames(run.id, 130);
  EXPECT_EQ(get(store().last_frame(run.id, "values")).value().data, "129");
  // The end of a run that has ended merges nothing.
  end(run);
  apply(AppendFrames{run.id, thread, make_frames(130, 1)});
  EXPECT_EQ(count("run_segments"), 4);
  expect_frames(run.id, 131);
}

TEST_F(PostgresStoreTest, LargeSegmentsStayAsTheyAre) {
  const auto thread = add_thread();
  auto run = add_run(thread, domain::RunState::in_progress);
  const auto frames = [](int bytes) {
    return std::vector<Frame>{{"e", std::string(static_cast<std::size_t>(bytes), 'x')}};
  };
  for (const int bytes : {10, 400'000, 10, 10, 100'000, 100'000, 100'000, 400'000})
    apply(AppendFrames{run.id, thread, frames(bytes)});
  const auto large =
      value("SELECT string_agg(ctid::text, ' ') FROM run_segments WHERE octet_length(data) > 300000");
  end(run);
  EXPECT_EQ(value("SELECT string_agg(count::text, ' ' ORDER BY first_no) FROM run_segments"), "1 1 4 1 1");
  EXPECT_EQ(value("SELECT string_agg(ctid::text, ' ') FROM run_segments WHERE octet_length(data) > 300000"),
            large);
  EXPECT_EQ(get(store().frames(run.id, 0, 1U << 30)).frames.size(), 8U);
}

TEST_F(PostgresStoreTest, SegmentsOfOneTransactionAreWrittenAsOne) {
  const auto thread = add_thread();
  auto run = add_run(thread, domain::RunState::in_progress);
  apply(AppendFrames{run.id, thread, make_frames(0, 1)});
  run.state = domain::RunState::completed;
  apply(AppendFrames{run.id, thread, make_frames(1, 2)}, PutRun{run},
        AppendFrames{run.id, thread, make_frames(3, 1)});
  EXPECT_EQ(count("run_segments"), 1);
  expect_frames(run.id, 4);
}

// What other runs of the thread say between them leaves gaps in its log, which merging keeps.
TEST_F(PostgresStoreTest, MergedFramesKeepTheirPlacesInTheLog) {
  const auto thread = add_thread();
  auto one = add_run(thread, domain::RunState::in_progress);
  auto other = add_run(thread);
  const auto places = [&](const std::string& run_id) {
    std::vector<std::int64_t> out;
    const auto audit = open_postgres_audit(database_->conninfo()).value();
    const auto segments = audit->segments(run_id);
    while (const auto* const segment = segments->next())
      out.insert(out.end(), segment->places.begin(), segment->places.end());
    return out;
  };
  auto there = another();
  for (int i = 0; i < 6; ++i) {
    apply(AppendFrames{one.id, thread, make_frames(i, 1)});
    Commit commit;
    commit.changes.emplace_back(AppendFrames{other.id, thread, make_frames(i, 1)});
    ASSERT_TRUE(wait(there->commit(std::move(commit))));
  }
  const auto before = places(one.id);
  EXPECT_EQ(before, (std::vector<std::int64_t>{2, 4, 6, 8, 10, 12}));
  end(one);
  end(other);
  EXPECT_EQ(count("run_segments"), 2);
  EXPECT_EQ(places(one.id), before);
  expect_frames(one.id, 6);
  expect_frames(other.id, 6);
}

// Each instance counts what the others appended.
TEST_F(PostgresStoreTest, SegmentsOfSeveralInstancesAreMergedTogether) {
  const auto thread = add_thread();
  auto run = add_run(thread, domain::RunState::in_progress);
  auto there = another();
  for (int i = 0; i < 70; ++i) {
    Commit commit;
    commit.changes.emplace_back(AppendFrames{run.id, thread, make_frames(i, 1)});
    ASSERT_TRUE(wait((i % 2 == 0 ? store() : *there).commit(std::move(commit))));
  }
  EXPECT_EQ(count("run_segments"), 1 + 6);
  expect_frames(run.id, 70);
}

TEST_F(PostgresStoreTest, ADamagedSegmentIsNotMerged) {
  const auto thread = add_thread();
  auto run = add_run(thread, domain::RunState::in_progress);
  for (int i = 0; i < 3; ++i) apply(AppendFrames{run.id, thread, make_frames(i, 1)});
  this->run("UPDATE run_segments SET data = '\\x0000' WHERE first_no = 1");
  end(run);
  EXPECT_EQ(count("run_segments"), 3);
}

TEST_F(PostgresStoreTest, ALongConversationCostsWhatIsNew) {
  const auto thread = add_thread();
  const auto run = add_run(thread, domain::RunState::in_progress);
  contract::Conversation conversation(thread);
  for (int turn = 0; turn < 400; ++turn) {
    apply(PutCheckpoint{conversation.next(run.id)});
    apply(AppendFrames{run.id, thread, {{"values", conversation.values()}}});
  }
  EXPECT_LT(count("checkpoint_series_parts"), 2 * (400 / 64 + 66));
  // Both representations of each message.
  EXPECT_LT(number("SELECT sum(octet_length(data)) FROM checkpoint_series_parts"), 400 * 2 * 530);
  EXPECT_EQ(value("SELECT bool_and(pending <= 65)::text FROM checkpoint_series"), "true");
  expect_holds(thread, conversation);
  expect_sound();
}

// Each holds what it knows of a series against the row, which the other has written.
TEST_F(PostgresStoreTest, InstancesMergePartsOfOneSeries) {
  const auto thread = add_thread();
  contract::Conversation conversation(thread);
  auto there = another();
  for (int turn = 0; turn < 200; ++turn) {
    Commit commit;
    commit.changes.emplace_back(PutCheckpoint{conversation.next()});
    ASSERT_TRUE(wait((turn % 3 == 0 ? *there : store()).commit(std::move(commit))));
  }
  EXPECT_LT(count("checkpoint_series_parts"), 2 * (200 / 64 + 66));
  expect_holds(thread, conversation);
  expect_sound();
}

TEST_F(PostgresStoreTest, LargeAndDamagedPartsStayAsTheyAre) {
  const auto thread = add_thread();
  const auto put = [&](int number, std::size_t bytes) {
    // Letters that are like those of no other number, so that each value is a part of its own.
    std::string text;
    for (std::size_t i = 0; text.size() < bytes; ++i) text += sha256_hex(fmt::format("{} {}", number, i));
    apply(PutCheckpoint{make_checkpoint(thread, fmt::format("{:04}", number), "", text)});
  };
  for (int i = 0; i < 64; ++i) put(i, i == 20 ? 300'000 : 1'000);
  EXPECT_EQ(count("checkpoint_series_parts"), 64);
  run("UPDATE checkpoint_series_parts SET data = '\\x00' WHERE at = (SELECT min(at) FROM "
      "checkpoint_series_parts)");
  put(64, 1'000);
  // What is in front of the large one has a damaged part, so it stays; what is behind it is one.
  EXPECT_EQ(count("checkpoint_series_parts"), 20 + 1 + 1 + 1);
  EXPECT_EQ(value("SELECT pending FROM checkpoint_series"), "1");
}

}  // namespace
}  // namespace dg::store::postgres
