// Reads of what people name and see: assistants, threads, runs, items, workers.
#include "store/postgres/reads.hpp"

#include <fmt/format.h>

#include "store/postgres/testing/rows.hpp"

namespace dg::store::postgres {
namespace {

using Names = std::vector<std::string>;

class ReadsTest : public testing::RowsTest {
 protected:
  void put_assistant(const std::string& id, const std::string& name, const std::string& metadata) {
    insert(
        "INSERT INTO assistants (id, graph_id, name, config, context, metadata, search, version, "
        "newest_version, "
        "created_at, updated_at) VALUES ($1, 'graph', $2, '{}', '{}', $3, $4, 1, 2, $5, $5)",
        id, name, metadata, Jsonb{metadata}, at(assistants_++));
  }
  // The total, then the names.
  Names assistants(AssistantFilter filter, Page page = {}) {
    const auto found = get(read_assistants(db(), std::move(filter), page));
    Names out{std::to_string(found.total)};
    for (const auto& row : found.rows) out.push_back(row.content.name);
    return out;
  }
  Names threads(ThreadFilter filter, Page page = {}) {
    const auto found = get(read_threads(db(), std::move(filter), page));
    Names out{std::to_string(found.total)};
    for (const auto& row : found.rows) out.push_back(row.thread.id);
    return out;
  }
  static Names ids_of(const std::vector<domain::Run>& runs) {
    Names out;
    for (const auto& run : runs) out.push_back(run.id);
    return out;
  }
  Names claimable(std::int64_t now, Names graphs = {"graph"}, std::int64_t limit = 10) {
    auto ids = ids_of(loop_.wait(read_claimable_runs(db(), std::move(graphs), at(now), limit)).value());
    get(db().query("COMMIT"));
    return ids;
  }
  std::string keys(ItemSearch search) {
    std::string out;
    for (const auto& item : get(read_items(db(), std::move(search)))) out += item.key;
    return out;
  }

 private:
  std::int64_t assistants_ = 0;
};

TEST_F(ReadsTest, AssistantsAreSearched) {
  put_assistant("one", "Alpha", R"({"team":"x"})");
  put_assistant("two", "beta", R"({"team":"y","n":[1,2]})");
  put_assistant("three", "Gamma", R"({"team":"x"})");
  insert("INSERT INTO event_streams (aggregate_id, aggregate_type, version) VALUES ('one', 'assistant', 4)");
  EXPECT_EQ(assistants({}), (Names{"3", "Gamma", "beta", "Alpha"}));
  EXPECT_EQ(assistants({}, {1, 1}), (Names{"3", "beta"}));
  EXPECT_EQ(assistants({}, {-1, -1}), (Names{"3"}));
  EXPECT_EQ(assistants({.metadata = R"({"team":"x"})"}, {1, 1}), (Names{"2", "Alpha"}));
  EXPECT_EQ(assistants({.metadata = R"({"n":[2.0]})"}), (Names{"1", "beta"}));
  EXPECT_EQ(assistants({.name = "ALPHA"}), (Names{"1", "Alpha"}));
  EXPECT_EQ(assistants({.graph_id = "other"}), (Names{"0"}));
  EXPECT_EQ(assistants({.sort_by = "name", .descending = false}), (Names{"3", "Alpha", "Gamma", "beta"}));
  EXPECT_EQ(assistants({.sort_by = "assistant_id", .descending = false}),
            (Names{"3", "Alpha", "Gamma", "beta"}));
  const auto some = get(read_assistants_of(db(), {"two", "nobody", "one"}));
  EXPECT_EQ(some.at(0).value().id, "two");
  EXPECT_FALSE(some.at(1));
  const auto& one = some.at(2).value();
  EXPECT_EQ(one.version, 4);
  EXPECT_EQ(one.newest_number, 2);
  EXPECT_EQ(one.content.description, std::nullopt);
}

TEST_F(ReadsTest, MetadataThatJsonbCannotHoldFindsWhatContainsIt) {
  for (int i = 0; i < 450; ++i) put_assistant(fmt::format("{:03}", i), "other", R"({"a":1})");
  put_assistant("nul", "Nul", "{}");
  insert(R"(UPDATE assistants SET metadata = '{"a":"\u0000","n":1e200000}' WHERE id = 'nul')");
  EXPECT_EQ(assistants({.metadata = R"({"a":"\u0000"})"}), (Names{"1", "Nul"}));
  EXPECT_EQ(assistants({.metadata = R"({"a":"\u0000"})"}, {1, 1}), (Names{"1"}));
  EXPECT_EQ(assistants({.metadata = R"({"a":"\ud800"})"}), (Names{"0"}));
  put_thread("t", 1);
  insert(R"(UPDATE threads SET metadata = '{"a":"\u0000"}' WHERE id = 't')");
  put_thread("u", 2);
  EXPECT_EQ(threads({.metadata = R"({"a":"\u0000"})"}), (Names{"1", "t"}));
  EXPECT_EQ(threads({.metadata = R"({"n":1e200000})"}), (Names{"0"}));
  EXPECT_EQ(threads({.metadata = R"({"a":"\u0000"})", .values = R"({"n":1})"}), (Names{"0"}));
}

TEST_F(ReadsTest, AssistantVersionsAreNewestFirst) {
  for (int i = 1; i <= 3; ++i)
    insert("INSERT INTO assistant_versions VALUES ('one', $1, 'graph', 'n', 'd', '{}', '{}', $2, $3)", i,
           fmt::format(R"({{"odd":{}}})", i % 2), at(i));
  const auto numbers = [&](std::string metadata, Page page) {
    std::string out;
    for (const auto& row : get(read_assistant_versions(db(), "one", std::move(metadata), page)))
      out += std::to_string(row.number);
    return out;
  };
  EXPECT_EQ(numbers("{}", {}), "321");
  EXPECT_EQ(numbers("{}", {1, 1}), "2");
  EXPECT_EQ(numbers(R"({"odd":1})", {}), "31");
  EXPECT_EQ(numbers(R"({"odd":1})", {1, 1}), "1");
  EXPECT_EQ(get(read_assistant_version(db(), "one", 2)).value().content.description, "d");
  EXPECT_FALSE(get(read_assistant_version(db(), "one", 4)));
  EXPECT_FALSE(get(read_assistant_version(db(), "one", 0)));
}

TEST_F(ReadsTest, ThreadsAreSearched) {
  put_thread("a", 3, R"({"user":"x","tags":["p","q"]})", "busy");
  put_thread("b", 2, R"({"user":"y"})");
  put_thread("c", 2, R"({"user":"x"})");
  put_thread("d", 9, R"({"user":"x"})", "idle", true);
  const std::string large(3000, 'v');
  auto c = checkpoint("b", "", "1");
  c.projection = R"({"values":{"n":1,"text":")" + large + R"("},"next":[],"tasks":[{"id":"t"}]})";
  put_checkpoint(c);
  c.key = {"b", "sub", "9"};
  put_checkpoint(c);
  insert("INSERT INTO checkpoint_tasks VALUES ('b', '', '1', 't', '{\"result\":\"\\u0000\"}')");
  EXPECT_EQ(threads({}), (Names{"3", "a", "c", "b"}));
  EXPECT_EQ(threads({}, {1, 1}), (Names{"3", "c"}));
  EXPECT_EQ(threads({.sort_by = "thread_id", .descending = false}), (Names{"3", "a", "b", "c"}));
  EXPECT_EQ(threads({.sort_by = "status", .descending = false}), (Names{"3", "a", "b", "c"}));
  EXPECT_EQ(threads({.metadata = R"({"user":"x"})"}, {1, 1}), (Names{"2", "c"}));
  EXPECT_EQ(threads({.metadata = R"({"tags":["q"]})"}), (Names{"1", "a"}));
  EXPECT_EQ(threads({.status = domain::ThreadStatus::busy}), (Names{"1", "a"}));
  EXPECT_EQ(threads({.ids = {"c", "d", "?"}}), (Names{"1", "c"}));
  EXPECT_EQ(threads({.ids = {"c", "d"}, .metadata = R"({"user":"x"})", .temporary = true}),
            (Names{"2", "d", "c"}));
  EXPECT_EQ(threads({.values = R"({"text":")" + large + R"("})"}), (Names{"1", "b"}));
  EXPECT_EQ(threads({.metadata = R"({"user":"x"})", .values = R"({"n":1})"}), (Names{"0"}));
  EXPECT_EQ(threads({.values = R"({"n":1})"}, {0, 0}), (Names{"1"}));
  put_run({.id = "r", .thread = "d", .status = "requires_action"});
  EXPECT_EQ(threads({})[1], "d");

  const auto found = get(read_threads(db(), {.ids = {"b"}}, {}));
  EXPECT_EQ(
      found.rows.at(0).head.value().projection,
      R"({"values":{"n":1,"text":")" + large + R"("},"next":[],"tasks":[{"id":"t","result":"\u0000"}]})");
  EXPECT_EQ(get(read_thread(db(), "b")).value().head.value().projection, found.rows[0].head->projection);
  EXPECT_FALSE(get(read_thread(db(), "a")).value().head);
  EXPECT_FALSE(get(read_thread(db(), "?")));
}

TEST_F(ReadsTest, ManyThreadsAreComparedByTheirValues) {
  for (int i = 0; i < 450; ++i) {
    const auto id = fmt::format("{:03}", i);
    put_thread(id, i);
    auto c = checkpoint(id, "", "1");
    c.projection = fmt::format(R"({{"values":{{"n":{},"text":"{}"}}}})", i % 3, std::string(600, 'x'));
    put_checkpoint(c);
  }
  EXPECT_EQ(threads({.values = R"({"n":1,"text":")" + std::string(600, 'x') + R"("})"}, {2, 149}),
            (Names{"150", "001"}));
}

TEST_F(ReadsTest, AThreadNowIsOneMoment) {
  put_thread("t", 3);
  put_run({.id = "2", .thread = "t", .status = "queued"});
  put_run({.id = "1", .thread = "t", .status = "requires_action"});
  put_run({.id = "0", .thread = "t", .status = "completed"});
  insert("INSERT INTO event_streams VALUES ('t', 'thread', 6, 8, 7)");
  put_lease("op", "t");
  put_run({.id = "3", .thread = "other", .status = "queued"});
  const auto found = get(read_threads_now(db(), {"?", "t", "other"}));
  const auto& now = found.at(1);
  EXPECT_EQ(now.head.turn, 7);
  EXPECT_EQ(now.head.lease.value().owner, "op");
  EXPECT_EQ(now.head.lease->applied_n, 9);
  EXPECT_EQ(now.thread.value().version, 6);
  EXPECT_EQ(now.thread->updated_at, at(3));
  EXPECT_EQ(ids_of(now.open), (Names{"1", "2"}));
  EXPECT_EQ(get(read_thread_head(db(), "t")).lease.value().session_id, "session");
  EXPECT_EQ(ids_of(found.at(2).open), (Names{"3"}));
  const auto& nothing = found.at(0);
  EXPECT_EQ(nothing.head.turn, 0);
  EXPECT_FALSE(nothing.head.lease || nothing.thread);
  EXPECT_TRUE(nothing.open.empty());
  EXPECT_EQ(get(read_thread_head(db(), "?")).turn, 0);
  // The log of a thread that was erased goes on.
  insert("DELETE FROM threads");
  EXPECT_EQ(get(read_threads_now(db(), {"t"})).at(0).head.turn, 7);
}

TEST_F(ReadsTest, RunsAreListedNewestFirst) {
  using domain::RunState;
  for (int i = 0; i < 4; ++i)
    put_run(
        {.id = std::to_string(i), .thread = i == 3 ? "u" : "t", .status = i % 2 == 0 ? "queued" : "failed"});
  const auto ids = [&](RunFilter filter, Page page = {}) {
    return ids_of(get(read_runs(db(), std::move(filter), page)));
  };
  EXPECT_EQ(ids({}), (Names{"3", "2", "1", "0"}));
  EXPECT_EQ(ids({"t", {}, {}}, {1, 1}), Names{"1"});
  EXPECT_EQ(ids({"t", {RunState::queued, RunState::completed}, {}}), (Names{"2", "0"}));
  EXPECT_EQ(ids({"", {RunState::failed}, {"0", "3"}}), Names{"3"});
  EXPECT_EQ(ids({"t", {}, {"0", "3"}}), Names{"0"});
  EXPECT_EQ(ids_of(get(read_open_runs(db(), "t"))), (Names{"0", "2"}));
  const auto run = get(read_runs_of(db(), {"1"})).at(0).value();
  EXPECT_EQ(run.state, RunState::failed);
  EXPECT_EQ(run.request.input, R"("\u0000")");
  EXPECT_EQ(run.cancel, domain::CancelAction::rollback);
  EXPECT_EQ(run.error.value().error, "E");
  EXPECT_EQ(run.epoch, 3);
  EXPECT_EQ(run.version, 5);
  EXPECT_EQ(run.session_id, "w");
  EXPECT_TRUE(run.has_checkpoint);
  EXPECT_FALSE(get(read_runs_of(db(), {"?"})).at(0));
}

TEST_F(ReadsTest, ClaimableRunsAreTheOldestDueOfFreeThreads) {
  put_run({.id = "0", .thread = "t", .not_before = 60});
  put_run({.id = "1", .thread = "t"});
  put_run({.id = "2", .thread = "t"});
  put_run({.id = "3", .thread = "u", .graph = "second"});
  put_run({.id = "4", .thread = "v"});
  put_run({.id = "5", .thread = "busy"});
  put_run({.id = "6", .thread = "busy", .status = "in_progress"});
  put_run({.id = "7", .thread = "held"});
  put_lease("op", "held");
  EXPECT_EQ(claimable(0), (Names{"1", "4"}));
  EXPECT_EQ(claimable(0, {"second", "graph", "graph"}), (Names{"1", "3", "4"}));
  EXPECT_EQ(claimable(0, {"second", "graph"}, 2), (Names{"1", "3"}));
  EXPECT_EQ(claimable(60), (Names{"4", "0"}));
  EXPECT_EQ(claimable(0, {}), Names{});
  EXPECT_EQ(claimable(0, {"graph"}, -1), Names{});
  EXPECT_EQ(get(read_next_due(db(), at(0))), at(60));
  EXPECT_EQ(get(read_next_due(db(), at(60))), std::nullopt);
  EXPECT_EQ(get(read_active_runs(db())).queued, 7);
  EXPECT_EQ(get(read_active_runs(db())).in_progress, 1);
  // One that lost its owner comes first, also while it waits, and whatever its graph.
  put_run({.id = "8", .thread = "t", .not_before = 30, .attempt = 1, .graph = "second"});
  EXPECT_EQ(claimable(0), Names{"4"});
  EXPECT_EQ(claimable(30, {"second"}), (Names{"3", "8"}));
}

TEST_F(ReadsTest, RunsWithFramesAreThoseThatAreOver) {
  put_run({.id = "1", .thread = "t", .status = "completed", .has_frames = true});
  put_run({.id = "2", .thread = "t", .status = "completed"});
  put_run({.id = "3", .thread = "t", .status = "queued", .has_frames = true});
  EXPECT_EQ(get(read_runs_with_frames(db(), at(1), false, 10)), Names{"1"});
  EXPECT_EQ(get(read_runs_with_frames(db(), at(0), false, 10)), Names{});
  EXPECT_EQ(get(read_runs_with_frames(db(), at(1), true, 10)), Names{});
}

TEST_F(ReadsTest, EventsAreReadOfEveryKindOfAggregate) {
  for (int i = 2; i >= 1; --i) {
    insert(
        "INSERT INTO run_events (event_id, run_id, event_version, event_type, payload, metadata, thread_id, "
        "seq, "
        "occurred_at) VALUES ('e', '0190', $1, 'RunCreated', '{\"a\":1}', '{}', 't', 3, $2)",
        i, at(i));
    insert(
        "INSERT INTO events (event_id, aggregate_type, aggregate_id, event_version, event_type, payload, "
        "metadata, "
        "thread_id, seq, occurred_at) VALUES ('e', 'thread', 't', $1, 'ThreadCreated', '{}', '{}', 't', 4, "
        "$2)",
        i, at(i));
  }
  const auto of_run = get(read_events(db(), "0190"));
  ASSERT_EQ(of_run.size(), 2U);
  EXPECT_EQ(of_run[0].version, 1);
  EXPECT_EQ(of_run[1].at, at(2));
  EXPECT_EQ(of_run[0].aggregate, domain::AggregateType::run);
  EXPECT_EQ(of_run[0].payload, R"({"a":1})");
  const auto of_thread = get(read_events(db(), "t"));
  ASSERT_EQ(of_thread.size(), 2U);
  EXPECT_EQ(of_thread[0].aggregate, domain::AggregateType::thread);
  EXPECT_EQ(of_thread[0].seq, 4);
  EXPECT_TRUE(get(read_events(db(), "?")).empty());
}

TEST_F(ReadsTest, ItemsAreSearchedByPrefixAndFilter) {
  const auto put = [&](const Names& ns, const std::string& key, const std::string& value,
                       std::int64_t updated) {
    insert("INSERT INTO store_items VALUES ('default', $1, $2, $3, $4, $5, $6)", namespace_key(ns), key,
           json_list(ns), value, at(0), at(updated));
  };
  put({"a"}, "1", R"({"n":1})", 1);
  put({"a", "b"}, "2", R"({"n":2})", 2);
  put({"ab"}, "3", R"({"n":3})", 3);
  put({"c"}, "4", R"({"n":4})", 3);
  EXPECT_EQ(keys({}), "3421");
  EXPECT_EQ(keys({.prefix = {"a"}}), "21");
  EXPECT_EQ(keys({.limit = 2, .offset = 1}), "42");
  EXPECT_EQ(keys({.filter = R"({"n":{"$gte":2}})", .limit = 2, .offset = 1}), "42");
  EXPECT_EQ(keys({.prefix = {"a"}, .filter = R"({"n":1})"}), "1");
  EXPECT_EQ(keys({.limit = 0}), "");
  EXPECT_EQ(get(read_item(db(), {"a", "b"}, "2")).value().updated_at, at(2));
  EXPECT_FALSE(get(read_item(db(), {"a"}, "2")));
  using Namespaces = std::vector<Names>;
  EXPECT_EQ(get(read_namespaces(db(), {})), (Namespaces{{"a"}, {"a", "b"}, {"ab"}, {"c"}}));
  EXPECT_EQ(get(read_namespaces(db(), {.prefix = {"a", "*"}})), (Namespaces{{"a", "b"}}));
  EXPECT_EQ(get(read_namespaces(db(), {.prefix = {"*"}, .max_depth = 1, .limit = 2, .offset = 1})),
            (Namespaces{{"ab"}, {"c"}}));
  for (int i = 0; i < 450; ++i) put({"many", std::to_string(i)}, "k", R"({"n":9})", 4);
  EXPECT_EQ(keys({.filter = R"({"n":2})"}), "2");
  EXPECT_EQ(get(read_namespaces(db(), {.limit = 1000})).size(), 454U);
}

TEST_F(ReadsTest, WorkersAndTheSchemaAreRead) {
  insert("INSERT INTO workers VALUES ('s', 'hash', '{}', 'r', 4, true, '[\"g\"]', $1)", at(1));
  insert("INSERT INTO graphs VALUES ('g', 'text', 'null', true, $1)", at(2));
  put_lease("op", "t");
  const auto sessions = get(read_sessions(db()));
  ASSERT_EQ(sessions.size(), 1U);
  EXPECT_EQ(sessions[0].slots, 4);
  EXPECT_TRUE(sessions[0].supervised);
  EXPECT_EQ(sessions[0].connected_at, at(1));
  const auto graphs = get(read_graphs(db()));
  ASSERT_EQ(graphs.size(), 1U);
  EXPECT_EQ(graphs[0].description, "text");
  EXPECT_TRUE(graphs[0].declared);
  EXPECT_EQ(graphs[0].updated_at, at(2));
  EXPECT_EQ(get(read_leases(db())).size(), 1U);
  EXPECT_EQ(get(read_lease_of(db(), "op")).value().epoch, 4);
  EXPECT_EQ(get(read_lease_of(db(), "op"))->kind, LeaseKind::operation);
  EXPECT_FALSE(get(read_lease_of(db(), "?")));
  EXPECT_EQ(get(read_ping(db())), schema_number());
}

}  // namespace
}  // namespace dg::store::postgres
