// Assistants, threads, sessions and graphs; what erasing leaves; opening again.
#pragma once

#include "store/contract/contract.hpp"

namespace dg::store::contract {

TEST_P(StoreContract, AssistantsAreFoundAndVersioned) {
  const auto put = [&](std::string id, std::string name, std::string metadata, std::int64_t number) {
    domain::Assistant a;
    a.id = std::move(id);
    a.content = {"graph", std::move(name), std::nullopt, "{}", "{}", std::move(metadata)};
    a.number = a.newest_number = number;
    a.created_at = a.updated_at = env_.clock.now();
    apply(PutAssistant{a, true});
  };
  put("one", "Alpha", R"({"team":"x"})", 1);
  put("two", "Beta", R"({"team":"y"})", 1);
  put("one", "Alpha 2", R"({"team":"x","v":2})", 2);
  const auto names = [&](AssistantFilter filter, Page page = {}) {
    const auto found = get(store().assistants(std::move(filter), page));
    std::vector<std::string> out{std::to_string(found.total)};
    for (const auto& a : found.rows) out.push_back(a.content.name);
    return out;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({}), (Names{"2", "Beta", "Alpha 2"}));
  EXPECT_EQ(names({}, {1, 1}), (Names{"2", "Alpha 2"}));
  EXPECT_EQ(names({.metadata = R"({"team":"x"})"}), (Names{"1", "Alpha 2"}));
  EXPECT_EQ(names({.name = "ALPHA"}), (Names{"1", "Alpha 2"}));
  EXPECT_EQ(names({.graph_id = "other"}), (Names{"0"}));
  EXPECT_EQ(names({.sort_by = "name", .descending = false}), (Names{"2", "Alpha 2", "Beta"}));

  const auto versions = get(store().assistant_versions("one", "{}", {}));
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_EQ(versions[0].number, 2);
  EXPECT_EQ(get(store().assistant_versions("one", R"({"v":2})", {})).size(), 1U);
  EXPECT_EQ(get(store().assistant_version("one", 1)).value().content.name, "Alpha");
  EXPECT_FALSE(get(store().assistant_version("one", 3)));
  apply(EraseAssistant{"one"});
  EXPECT_FALSE(get(store().assistant("one")));
  EXPECT_TRUE(get(store().assistant_versions("one", "{}", {})).empty());
}

TEST_P(StoreContract, ThreadsAreSearched) {
  const auto one = add_thread(R"({"user":"a","tags":["x","y"]})");
  const auto two = add_thread(R"({"user":"b"})");
  const auto three = add_thread(R"({"user":"a"})");
  apply(PutCheckpoint{make_checkpoint(two, "7")});
  add_run(one);
  const auto ids = [&](ThreadFilter filter, Page page = {}) {
    const auto found = get(store().threads(std::move(filter), page));
    std::vector<std::string> out{std::to_string(found.total)};
    for (const auto& row : found.rows) out.push_back(row.thread.id);
    return out;
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(ids({}), (Ids{"3", one, two, three}));  // latest updated first
  EXPECT_EQ(ids({}, {1, 1}), (Ids{"3", two}));
  EXPECT_EQ(ids({.sort_by = "created_at", .descending = false}), (Ids{"3", one, two, three}));
  EXPECT_EQ(ids({.sort_by = "thread_id"}), (Ids{"3", three, two, one}));
  EXPECT_EQ(ids({.sort_by = "state_updated_at"})[1], two);
  EXPECT_EQ(ids({.metadata = R"({"user":"a"})"}, {1, 1}), (Ids{"2", three}));
  EXPECT_EQ(ids({.metadata = R"({"tags":["y"]})"}), (Ids{"1", one}));
  EXPECT_EQ(ids({.status = domain::ThreadStatus::busy}), (Ids{"1", one}));
  EXPECT_EQ(ids({.values = R"({"n":"7"})"}), (Ids{"1", two}));
  EXPECT_EQ(ids({.ids = {two, new_id()}}), (Ids{"1", two}));
}

TEST_P(StoreContract, TemporaryThreadsAreListedWhereTheyAreAskedForOrHaveAPausedRun) {
  const auto kept = add_thread();
  domain::Thread thread{.id = new_id(), .metadata = R"({"m":1})", .temporary = true};
  apply(PutThread{thread});
  const auto total = [&](ThreadFilter filter) {
    return get(store().threads(std::move(filter), {1, 0})).total;
  };
  EXPECT_EQ(total({}), 1);
  EXPECT_EQ(total({.ids = {thread.id}}), 0);
  EXPECT_EQ(total({.metadata = R"({"m":1})"}), 0);
  EXPECT_EQ(total({.ids = {thread.id}, .temporary = true}), 1);
  EXPECT_EQ(total({.metadata = R"({"m":1})", .temporary = true}), 1);
  EXPECT_TRUE(get(store().thread(thread.id)).value().thread.temporary);
  EXPECT_FALSE(get(store().thread(kept)).value().thread.temporary);
  auto paused = make_checkpoint(thread.id, "1");
  paused.projection = R"({"values":{},"next":["node"],"tasks":[]})";
  auto run = add_run(thread.id);
  run.state = domain::RunState::requires_action;
  apply(PutCheckpoint{paused}, PutRun{run});
  EXPECT_EQ(total({}), 2);
  run.state = domain::RunState::cancelled;
  apply(PutRun{run});
  EXPECT_EQ(total({}), 1);
}

TEST_P(StoreContract, SessionsAndGraphsAreReplaced) {
  const auto now = env_.clock.now();
  apply(PutSession{{"s1", "hash", R"({"name":"w"})", "r1", 4, true, R"(["g"])", now}},
        PutGraph{{"g", "first", "null", now}}, PutGraph{{"g", "second", R"({"e":1})", now, true}},
        PutGraph{{"h", "", "null", now}});
  const auto sessions = get(store().sessions());
  ASSERT_EQ(sessions.size(), 1U);
  EXPECT_EQ(sessions[0].slots, 4);
  EXPECT_TRUE(sessions[0].supervised);
  EXPECT_EQ(sessions[0].graphs, R"(["g"])");
  EXPECT_EQ(sessions[0].connected_at, now);
  const auto graphs = get(store().graphs());
  ASSERT_EQ(graphs.size(), 2U);
  EXPECT_EQ(graphs[0].description, "second");
  EXPECT_EQ(graphs[0].error, R"({"e":1})");
  EXPECT_TRUE(graphs[0].declared);
  EXPECT_FALSE(graphs[1].declared);
  apply(EraseSession{"s1"});
  EXPECT_EQ(get(store().sessions()).size(), 1U);  // it is not over
  apply(EndSession{"s1", "gone"});
  apply(EraseSession{"s1"});
  EXPECT_TRUE(get(store().sessions()).empty());
}

TEST_P(StoreContract, ASessionSaysWhereItIsConnectedAndWhyItIsOver) {
  const auto now = env_.clock.now();
  apply(PutSession{{"s1", "hash", "{}", "r1", 4, true, "[]", now, true, "i1", 3}});
  const auto one = [&] { return get(store().sessions()).at(0); };
  EXPECT_TRUE(one().draining);
  EXPECT_EQ(one().instance, "i1");
  EXPECT_EQ(one().connection, 3);
  EXPECT_FALSE(one().instance_alive);
  apply(DisconnectSession{"s1"});
  EXPECT_EQ(one().instance, "");
  EXPECT_EQ(one().connection, 3);
  apply(EndSession{"s1", "its process ended"});
  EXPECT_EQ(one().ended, "its process ended");
  EXPECT_TRUE(wait(store().beat({"s1", "unknown"})));
}

TEST_P(StoreContract, ACommitMayDependOnASessionsConnection) {
  const auto now = env_.clock.now();
  const auto tried = [&](SessionAt condition, Change change) {
    Commit conditional;
    conditional.conditions.emplace_back(std::move(condition));
    conditional.changes.push_back(std::move(change));
    const auto done = commit(std::move(conditional));
    return done ? "done" : done.error().code == Errc::conflict ? "conflict" : done.error().message;
  };
  const auto connect = [&](std::int64_t connection) {
    return PutSession{{"s1", "hash", "{}", "r1", 4, true, "[]", now, false, "i1", connection}};
  };
  EXPECT_EQ(tried({"s1", 1}, connect(2)), "conflict");
  EXPECT_EQ(tried({"s1", 0}, connect(1)), "done");
  EXPECT_EQ(tried({"s1", 0}, connect(1)), "conflict");
  EXPECT_EQ(tried({"s1", 1}, connect(2)), "done");
  EXPECT_EQ(tried({"s1", 1}, DisconnectSession{"s1"}), "conflict");
  EXPECT_EQ(tried({"s1", 2, 1}, DisconnectSession{"s1"}), "conflict");
  EXPECT_EQ(tried({"s1", 2, 0}, EndSession{"s1", "gone"}), "done");
  EXPECT_EQ(tried({"s1", 2}, connect(3)), "conflict");
  apply(EraseSession{"s1"});
  EXPECT_EQ(tried({"s1", 0}, connect(1)), "done");
}

TEST_P(StoreContract, ErasedRunLeavesItsEventsAlone) {
  const auto thread = add_thread();
  auto run = make_run(thread, domain::RunState::in_progress);
  auto c = make_checkpoint(thread, "2", "1", "two");
  c.run_id = run.id;
  Commit commit_all;
  commit_all.appends.push_back(run_event(run.id, 0, thread));
  commit_all.changes = {PutRun{run},
                        PutLease{{run.id, LeaseKind::run, thread, 1, "s", 0}},
                        PutCheckpoint{c},
                        PutCheckpoint{make_checkpoint(thread, "1", "", "one")},
                        PutWrites{make_writes(thread, "2", "t", {{0, "x", {"t", "w"}}})},
                        AppendFrames{run.id, thread, make_frames(0, 3)}};
  ASSERT_TRUE(commit(std::move(commit_all)));
  apply(EraseRun{run.id});
  EXPECT_FALSE(get(store().run(run.id)));
  EXPECT_FALSE(get(store().lease(run.id)));
  EXPECT_EQ(get(store().frame_count(run.id)), 0);
  EXPECT_EQ(get(store().checkpoint(thread, "", "")).value().key.checkpoint_id, "1");
  EXPECT_EQ(get(store().events(run.id)).size(), 1U);
  EXPECT_EQ(status_of(thread), domain::ThreadStatus::idle);
}

TEST_P(StoreContract, ErasedThreadTakesItsOwnAlong) {
  const auto thread = add_thread();
  const auto other = add_thread();
  const auto run = add_run(thread);
  const auto kept = add_run(other);
  apply(PutLease{{run.id, LeaseKind::run, thread, 1, "s", 0}},
        PutCheckpoint{make_checkpoint(thread, "1", "", "one")},
        AppendFrames{run.id, thread, make_frames(0, 3)},
        PutCheckpoint{make_checkpoint(other, "1", "", "one")});
  apply(EraseThread{thread});
  EXPECT_FALSE(get(store().thread(thread)));
  EXPECT_FALSE(get(store().run(run.id)));
  EXPECT_TRUE(get(store().leases()).empty());
  EXPECT_EQ(get(store().frame_count(run.id)), 0);
  EXPECT_FALSE(get(store().checkpoint(thread, "", "")));
  EXPECT_EQ(get(store().events(thread)).size(), 1U);
  EXPECT_TRUE(get(store().run(kept.id)));
  EXPECT_EQ(get(store().checkpoint(other, "", "")).value().values.size(), 1U);
}

TEST_P(StoreContract, OpeningAgainFindsEverything) {
  if (!backend_->outlives_store()) GTEST_SKIP() << "nothing to open again";
  const auto thread = add_thread(R"({"a":1})");
  const auto run = new_id();
  Commit c;
  c.appends.push_back(run_event(run, 0, thread));
  c.changes = {PutLease{{run, LeaseKind::run, thread, 4, "s", 0}},
               AppendFrames{run, thread, make_frames(0, 5)},
               PutCheckpoint{make_checkpoint(thread, "1", "", "one")}, PutItem{{"n"}, "k", "1"}};
  ASSERT_TRUE(commit(std::move(c)));
  Commit fence;
  fence.conditions.emplace_back(Fence{run, 4, 1, 6});
  ASSERT_TRUE(commit(std::move(fence)));
  open();
  EXPECT_EQ(get(store().thread(thread)).value().thread.metadata, R"({"a":1})");
  EXPECT_EQ(get(store().thread_head(thread)).turn, 1);
  EXPECT_EQ(get(store().lease(run)).value().applied_n, 6);
  EXPECT_EQ(get(store().frames(run, 2, 1000)).frames.size(), 3U);
  EXPECT_EQ(get(store().checkpoint(thread, "", "")).value().values.at(0).value.data, "one");
  EXPECT_EQ(get(store().item({"n"}, "k")).value().value, "1");
  EXPECT_EQ(apply(AppendFrames{run, thread, make_frames(5, 1)}).first_frames[0], 5);
  EXPECT_GE(get(store().ping()), 1);
}

}  // namespace dg::store::contract
