// What is SQLite's own: the file, its schema, the queues and what remains in tables.
#include "store/sqlite/sqlite_store.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "base/scratch_folder.hpp"
#include "store/contract/contract.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/migrations.hpp"

namespace dg::store::sqlite {
namespace {

constexpr const char* all_tables[] = {"heads",
                                      "events",
                                      "assistants",
                                      "assistant_versions",
                                      "threads",
                                      "runs",
                                      "requests",
                                      "leases",
                                      "checkpoints",
                                      "segments",
                                      "checkpoint_values",
                                      "checkpoint_writes",
                                      "checkpoint_tasks",
                                      "checkpoint_undo",
                                      "items",
                                      "sessions",
                                      "graphs",
                                      "series",
                                      "series_parts",
                                      "packs",
                                      "pack_keys"};

class File final : public contract::Backend {
 public:
  Result<std::unique_ptr<Store>> open(Env env) override { return open_sqlite(env, options_); }
  std::unique_ptr<Database> database() const { return *Database::open({.path = options_.path}); }
  SqliteOptions& options() { return options_; }

 private:
  ScratchFolder directory_{"store"};
  SqliteOptions options_{.path = (directory_.path() / "store.db").string()};
};

class SqliteStoreTest : public contract::StoreContract {
 protected:
  void SetUp() override {
    auto file = std::make_unique<File>();
    file_ = file.get();
    backend_ = std::move(file);
  }

  std::int64_t number(std::string_view sql) {
    const auto db = file_->database();
    Query query(*db, sql);
    return query.next() ? query.integer() : -1;
  }
  std::int64_t count(std::string_view table) { return number(fmt::format("SELECT count(*) FROM {}", table)); }

  std::string refusal_to_open() {
    auto opened = open_sqlite(env_, file_->options());
    return opened ? std::string() : opened.error().message;
  }

  File* file_ = nullptr;
};

TEST_F(SqliteStoreTest, ErasingLeavesNoRows) {
  open();
  const auto thread = add_thread();
  auto run = add_run(thread, domain::RunState::in_progress);
  auto writes = make_writes(thread, "1", "task", {{0, "x", {"t", "w"}}});
  writes.task_patch = R"({"a":1})";
  auto c = make_checkpoint(thread, "1", "", "one");
  c.run_id = run.id;
  const auto fill = [&] {
    apply(PutLease{{run.id, LeaseKind::run, thread, 1, "s", 0}}, PutCheckpoint{c}, PutWrites{writes},
          AppendFrames{run.id, thread, make_frames(0, 3)});
  };
  fill();
  apply(EraseRun{run.id});
  for (const char* table : {"runs", "leases", "checkpoints", "checkpoint_values", "checkpoint_writes",
                            "checkpoint_tasks", "segments"})
    EXPECT_EQ(count(table), 0) << table;
  apply(PutRun{run});
  fill();
  apply(EraseThread{thread});
  for (const char* table : all_tables)
    if (std::string_view(table) != "heads" && std::string_view(table) != "events")
      EXPECT_EQ(count(table), 0) << table;
}

TEST_F(SqliteStoreTest, ALongConversationCostsWhatIsNew) {
  open();
  const auto thread = add_thread();
  const auto run = add_run(thread, domain::RunState::in_progress);
  contract::Conversation conversation(thread);
  for (int turn = 0; turn < 400; ++turn) {
    apply(PutCheckpoint{conversation.next(run.id)});
    apply(AppendFrames{run.id, thread, {{"values", conversation.values()}}});
  }
  EXPECT_LT(count("series_parts"), 2 * (400 / 64 + 64));
  const auto db = file_->database();
  Query bytes(*db, "SELECT sum(length(data)) FROM series_parts");
  ASSERT_TRUE(bytes.next());
  // Both representations of each message, and the recipes beside them.
  EXPECT_LT(bytes.integer(), 400 * 2 * 530);
  Query recipes(*db,
                "SELECT max(length(cuts)), (SELECT max(length(data)) FROM checkpoint_values WHERE series <> "
                "0) FROM checkpoints");
  ASSERT_TRUE(recipes.next());
  EXPECT_LT(recipes.integer(), 64);
  EXPECT_LT(recipes.integer(), 64);
}

TEST_F(SqliteStoreTest, StatesThatOvertakeOneAnotherAreStoredOnce) {
  open();
  const auto thread = add_thread();
  const auto run = add_run(thread, domain::RunState::in_progress);
  contract::Conversation conversation(thread);
  for (int turn = 0; turn < 2; ++turn) apply(PutCheckpoint{conversation.next(run.id)});
  const auto log_size = [&] {
    const auto db = file_->database();
    Query query(*db, "SELECT sum(size) FROM series");
    return query.next() ? query.integer() : -1;
  };
  for (int turn = 0; turn < 50; ++turn) {
    // A frame shows what comes after a checkpoint that is still on its way.
    const auto earlier = conversation.next(run.id);
    const auto later = conversation.next(run.id);
    const auto before = log_size();
    apply(AppendFrames{run.id, thread, {{"values", conversation.values()}}});
    apply(PutCheckpoint{earlier});
    apply(PutCheckpoint{later});
    EXPECT_LT(log_size() - before, 2 * (2 * 530));
  }
  expect_holds(thread, conversation);
}

TEST_F(SqliteStoreTest, WhatFramesAloneNamedGoesWithThem) {
  open();
  const auto thread = add_thread();
  const auto run = add_run(thread, domain::RunState::in_progress);
  const auto state = [](char letter) { return R"({"text":")" + std::string(2000, letter) + R"("})"; };
  apply(
      AppendFrames{run.id, thread, {{"values", state('a')}, {"values", state('b')}, {"values", state('c')}}});
  EXPECT_EQ(count("series_parts"), 3);
  auto c = make_checkpoint(thread, "1");
  c.projection = R"({"values":)" + state('c') + R"(,"next":[],"tasks":[]})";
  apply(PutCheckpoint{c});
  EXPECT_EQ(count("series_parts"), 3);
  apply(EraseFrames{{run.id}});
  EXPECT_EQ(count("series_parts"), 1);
  EXPECT_EQ(get(store().state(thread, "", "")).value().projection, c.projection);
  apply(AppendFrames{run.id, thread, {{"values", state('d')}}});
  apply(EraseRun{run.id});
  EXPECT_EQ(count("series_parts"), 1);
}

TEST_F(SqliteStoreTest, FinishedRunsArePacked) {
  file_->options().inline_mode = true;
  file_->options().pack_after = 16;
  open();
  const auto thread = add_thread();
  contract::Conversation conversation(thread);
  add_finished_runs(conversation, thread, 16);
  EXPECT_EQ(count("packs"), 0);
  EXPECT_EQ(count("checkpoints"), 32);
  add_finished_runs(conversation, thread, 1);
  EXPECT_EQ(count("packs"), 1);
  EXPECT_EQ(count("checkpoints"), 4 * 2);
  EXPECT_EQ(count("events"), 1 + 4 * 2);
  add_finished_runs(conversation, thread, 83);
  EXPECT_LE(count("checkpoints"), 17 * 2);
  for (const char* table :
       {"requests", "checkpoint_values", "checkpoint_writes", "checkpoint_tasks", "events"})
    EXPECT_LE(count(table), 1 + 17 * 2) << table;
  EXPECT_EQ(count("packs"), 1 + 83 / 13);
  EXPECT_EQ(count("runs WHERE packed = 1"), 13 * count("packs"));
  expect_holds(thread, conversation);
  const auto packs = count("packs");
  apply(EraseThread{thread});
  EXPECT_EQ(count("pack_keys"), 0);
  EXPECT_EQ(count("packs"), packs);  // of the events, which stay
}

TEST_F(SqliteStoreTest, APackIsCutByItsBytes) {
  file_->options().inline_mode = true;
  file_->options().pack_after = 0;
  open();
  const auto thread = add_thread();
  auto run = add_run(thread, domain::RunState::in_progress);
  Commit created;
  created.appends.push_back(run_event(run.id, 0, thread));
  ASSERT_TRUE(commit(std::move(created)));
  for (int i = 0; i < 40; ++i) {
    auto c = make_checkpoint(thread, fmt::format("{:02}", i));
    c.run_id = run.id;
    c.checkpoint.data = std::string(100'000, static_cast<char>('a' + i % 26));
    apply(PutCheckpoint{c});
  }
  EXPECT_EQ(count("packs"), 0);
  run.state = domain::RunState::completed;
  apply(PutRun{run});
  EXPECT_EQ(count("packs"), 4);
  EXPECT_EQ(count("checkpoints"), 1);
  for (int i = 0; i < 40; ++i)
    EXPECT_EQ(get(store().checkpoint(thread, "", fmt::format("{:02}", i))).value().checkpoint.data[0],
              'a' + i % 26);
}

TEST_F(SqliteStoreTest, ADamagedPackIsAnError) {
  file_->options().inline_mode = true;
  file_->options().pack_after = 0;
  open();
  const auto thread = add_thread();
  contract::Conversation conversation(thread);
  const auto run = add_finished_run(conversation, thread);
  file_->database()->run_script("UPDATE packs SET data = substr(data, 1, length(data) / 2)");
  const auto read = wait(store().run(run.id));
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find(thread), std::string::npos);
  EXPECT_NE(read.error().message.find("duragraph verify"), std::string::npos);
  EXPECT_FALSE(wait(store().events(run.id)));
  EXPECT_FALSE(wait(store().checkpoint(thread, "", "0001")));
  EXPECT_TRUE(get(store().state(thread, "", "")));
  for (const bool keep_latest : {true, false}) {
    Commit erased;
    erased.changes.emplace_back(EraseCheckpoints{thread, keep_latest});
    EXPECT_FALSE(commit(std::move(erased)));
  }
  EXPECT_EQ(count("packs"), 1);
  // It does not keep its thread from being deleted, and nothing names it then.
  apply(EraseThread{thread});
  for (const char* rows : {"packs", "pack_keys", "heads WHERE pack <> 0"}) EXPECT_EQ(count(rows), 0) << rows;
}

TEST_F(SqliteStoreTest, APackNeverHasTheIdOfAnEarlierOne) {
  file_->options().inline_mode = true;
  file_->options().pack_after = 0;
  open();
  std::int64_t last = 0;
  for (int i = 0; i < 2; ++i) {
    const auto thread = add_thread();
    contract::Conversation conversation(thread);
    add_finished_run(conversation, thread);
    const auto id = number("SELECT max(id) FROM packs");
    EXPECT_GT(id, last);
    last = id;
    file_->database()->run_script("UPDATE packs SET data = x''");
    apply(EraseThread{thread});
    EXPECT_EQ(count("packs"), 0);
  }
}

TEST_F(SqliteStoreTest, AFailedTransactionLeavesLargeValuesWhole) {
  open();
  const auto thread = add_thread();
  contract::Conversation conversation(thread);
  apply(PutCheckpoint{conversation.next()});
  add_run(thread, domain::RunState::in_progress);
  Commit failing;
  auto lost = make_checkpoint(thread, "9", "", std::string(3000, 'l'));
  failing.changes.emplace_back(PutCheckpoint{lost});
  failing.changes.emplace_back(PutRun{make_run(thread, domain::RunState::in_progress)});
  EXPECT_EQ(refusal(commit(std::move(failing))), Errc::internal);
  apply(PutCheckpoint{conversation.next()});
  expect_holds(thread, conversation);
}

TEST_F(SqliteStoreTest, MissingPartsAreAnError) {
  open();
  const auto thread = add_thread();
  contract::Conversation conversation(thread);
  apply(PutCheckpoint{conversation.next()});
  file_->database()->run_script("DELETE FROM series_parts");
  const auto state = wait(store().state(thread, "", ""));
  ASSERT_FALSE(state);
  EXPECT_NE(state.error().message.find("missing"), std::string::npos);
  EXPECT_TRUE(wait(store().ping()));
}

TEST_F(SqliteStoreTest, ClosingLeavesTheDatabaseFileAlone) {
  open();
  const auto thread = add_thread();
  store().close();
  EXPECT_FALSE(std::filesystem::exists(file_->options().path + "-wal"));
  open();
  EXPECT_TRUE(get(store().thread(thread)));
}

TEST_F(SqliteStoreTest, SegmentsAreMerged) {
  open();
  const auto thread = add_thread();
  auto run = add_run(thread, domain::RunState::in_progress);
  for (int i = 0; i < 130; ++i) apply(AppendFrames{run.id, thread, make_frames(i, 1)});
  EXPECT_EQ(count("segments"), 4);  // twice 64, and two that wait
  run.state = domain::RunState::completed;
  apply(PutRun{run});
  EXPECT_EQ(count("segments"), 1);

  auto large = add_run(thread, domain::RunState::in_progress);
  for (int i = 0; i < 5; ++i) apply(AppendFrames{large.id, thread, {{"e", std::string(400000, 'x')}}});
  large.state = domain::RunState::completed;
  apply(PutRun{large});
  EXPECT_EQ(count("segments"), 1 + 3);
  EXPECT_EQ(get(store().frames(large.id, 0, 1U << 30)).frames.size(), 5U);
}

TEST_F(SqliteStoreTest, DatabaseErrorHitsItsCommitAlone) {
  open();
  const auto thread = add_thread();
  std::vector<Commit> commits;
  for (int i = 0; i < 20; ++i) {
    Commit c;
    // Two runs in progress on a thread are refused by the schema's last guard.
    c.changes.emplace_back(
        PutRun{make_run(i == 3 || i == 7 ? thread : add_thread(), domain::RunState::in_progress)});
    c.changes.emplace_back(PutItem{{"n"}, std::to_string(i), "1"});
    commits.push_back(std::move(c));
  }
  const auto results = commit_together(std::move(commits));
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (i == 7) {
      EXPECT_EQ(refusal(results[i]), Errc::internal);
    } else {
      EXPECT_TRUE(results[i]) << i;
    }
  }
  EXPECT_FALSE(get(store().item({"n"}, "7")));
  EXPECT_TRUE(get(store().item({"n"}, "19")));
}

TEST_F(SqliteStoreTest, FullQueueIsUnavailable) {
  file_->options().max_queued_commits = 0;
  file_->options().max_queued_reads = 0;
  open();
  EXPECT_EQ(refusal(commit({})), Errc::unavailable);
  const auto read = wait(store().ping());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::unavailable);
}

TEST_F(SqliteStoreTest, LargeCommitFitsAnEmptyQueue) {
  file_->options().max_queued_bytes = 1000;
  open();
  apply(PutItem{{"n"}, "k", '"' + std::string(100000, 'x') + '"'});
  EXPECT_TRUE(get(store().item({"n"}, "k")));
}

TEST_F(SqliteStoreTest, SlowReadIsATimeout) {
  file_->options().read_deadline = std::chrono::milliseconds(-1);
  open();
  std::vector<Commit> commits(1);
  for (int i = 0; i < 5000; ++i) commits[0].changes.emplace_back(PutItem{{"n"}, std::to_string(i), "1"});
  ASSERT_TRUE(commit_together(std::move(commits))[0]);
  const auto read = wait(store().items({{}, R"({"n":2})", 10, 0}));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::timeout);
  EXPECT_TRUE(wait(store().ping()));
}

TEST_F(SqliteStoreTest, NewerSchemaIsRefused) {
  open();
  store_.reset();
  file_->database()->run_script("INSERT INTO schema_migrations VALUES (99, 'x', 0)");
  EXPECT_NE(refusal_to_open().find("schema version 99"), std::string::npos);
}

TEST_F(SqliteStoreTest, AnotherTextOfTheSchemaIsRefused) {
  open();
  store_.reset();
  file_->database()->run_script("UPDATE schema_migrations SET checksum = 'x'");
  EXPECT_NE(refusal_to_open().find("001_init.sql"), std::string::npos);
}

TEST_F(SqliteStoreTest, BadOptionsAndFilesAreRefused) {
  file_->options().path = ":memory:";
  EXPECT_NE(refusal_to_open(), "");
  file_->options().path = "/nowhere/at/all/store.db";
  EXPECT_NE(refusal_to_open().find("/nowhere"), std::string::npos);
}

TEST_F(SqliteStoreTest, FileIsSound) {
  open();
  for (int i = 0; i < 50; ++i) add_run(add_thread());
  store_.reset();
  const auto db = file_->database();
  Query query(*db, "PRAGMA integrity_check");
  ASSERT_TRUE(query.next());
  EXPECT_EQ(query.text(), "ok");
}

}  // namespace
}  // namespace dg::store::sqlite
