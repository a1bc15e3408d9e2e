// Runs, what may be claimed, and the status of threads that follows from them.
#pragma once

#include <algorithm>

#include "store/contract/contract.hpp"

namespace dg::store::contract {

using domain::RunState;
using domain::ThreadStatus;

TEST_P(StoreContract, RunComesBackAsItWasPut) {
  auto run = make_run(add_thread(), RunState::failed);
  run.request.input = R"({"text":"a \u0000 b"})";
  run.request.stream_modes = {"values", "messages-tuple"};
  run.request.multitask = domain::MultitaskStrategy::rollback;
  run.request.durability = domain::Durability::exit;
  run.metadata = R"({"a":[1,2]})";
  run.not_before = from_micros(12);
  run.epoch = 3;
  run.attempt = 2;
  run.session_id = "session";
  run.revision = "r1";
  run.cancel = domain::CancelAction::rollback;
  run.error = domain::RunError{"ValueError", "no"};
  run.resumed_by = "other";
  apply(PutRun{run});
  const auto stored = get(store().run(run.id)).value();
  EXPECT_EQ(stored.request.to_json(), run.request.to_json());
  EXPECT_EQ(stored.request.input, run.request.input);
  EXPECT_EQ(stored.state, RunState::failed);
  EXPECT_EQ(stored.metadata, run.metadata);
  EXPECT_EQ(stored.created_at, run.created_at);
  EXPECT_EQ(stored.not_before, run.not_before);
  EXPECT_EQ(stored.epoch, 3);
  EXPECT_EQ(stored.attempt, 2);
  EXPECT_EQ(stored.session_id, "session");
  EXPECT_EQ(stored.revision, "r1");
  EXPECT_EQ(stored.cancel, domain::CancelAction::rollback);
  EXPECT_EQ(stored.error.value().message, "no");
  EXPECT_EQ(stored.resumed_by, "other");
  EXPECT_FALSE(stored.has_checkpoint);
  EXPECT_FALSE(get(store().run(new_id())));
}

TEST_P(StoreContract, RunsThatAreToStopAndThoseThatTakeTooLongAreFound) {
  const auto begun = [&](std::int64_t at, domain::CancelAction cancel, RunState state) {
    auto run = make_run(add_thread(), state);
    run.updated_at = from_micros(at);
    run.cancel = cancel;
    apply(PutRun{run});
    return run.id;
  };
  const auto late = begun(9, domain::CancelAction::none, RunState::in_progress);
  const auto early = begun(3, domain::CancelAction::none, RunState::in_progress);
  begun(10, domain::CancelAction::none, RunState::in_progress);
  begun(4, domain::CancelAction::none, RunState::queued);
  const auto timed_out = begun(5, domain::CancelAction::time_out, RunState::in_progress);
  begun(6, domain::CancelAction::rollback, RunState::completed);
  const auto ids_of = [](const std::vector<domain::Run>& runs) {
    std::vector<std::string> out;
    for (const auto& run : runs) out.push_back(run.id);
    return out;
  };
  EXPECT_EQ(ids_of(get(store().overdue_runs(from_micros(10), 5))), (std::vector{early, late}));
  EXPECT_EQ(ids_of(get(store().overdue_runs(from_micros(10), 1))), (std::vector{early}));
  EXPECT_EQ(ids_of(get(store().stopping_runs())), (std::vector{timed_out}));
}

TEST_P(StoreContract, RunsAreListedNewestFirst) {
  const auto thread = add_thread();
  std::vector<std::string> ids;
  ids.reserve(5);
  for (int i = 0; i < 5; ++i)
    ids.push_back(add_run(thread, i % 2 == 0 ? RunState::completed : RunState::queued).id);
  add_run(add_thread());
  const auto ids_of = [&](RunFilter filter, Page page) {
    std::vector<std::string> out;
    for (const auto& run : get(store().runs(std::move(filter), page))) out.push_back(run.id);
    return out;
  };
  EXPECT_EQ(ids_of({thread, {}, {}}, {2, 1}), (std::vector{ids[3], ids[2]}));
  EXPECT_EQ(ids_of({thread, {RunState::queued}, {}}, {10, 0}), (std::vector{ids[3], ids[1]}));
  EXPECT_EQ(ids_of({"", {}, {ids[0], ids[4]}}, {10, 0}), (std::vector{ids[4], ids[0]}));
  EXPECT_EQ(ids_of({}, {10, 0}).size(), 6U);
}

TEST_P(StoreContract, OpenRunsAreOldestFirst) {
  const auto thread = add_thread();
  const auto paused = add_run(thread, RunState::requires_action);
  add_run(thread, RunState::completed);
  const auto queued = add_run(thread);
  const auto open = get(store().open_runs(thread));
  ASSERT_EQ(open.size(), 2U);
  EXPECT_EQ(open[0].id, paused.id);
  EXPECT_EQ(open[1].id, queued.id);
}

TEST_P(StoreContract, ClaimableRunsAreTheOldestDueOfFreeThreads) {
  const auto now = env_.clock.now();
  const auto claimable = [&](std::vector<std::string> graphs = {"graph"}, std::int64_t limit = 10) {
    std::vector<std::string> ids;
    for (const auto& run : get(store().claimable_runs(std::move(graphs), now, limit)).runs)
      ids.push_back(run.id);
    return ids;
  };
  const auto one = add_thread();
  auto delayed = make_run(one);
  delayed.not_before = now + std::chrono::seconds(60);
  apply(PutRun{delayed});
  const auto first = add_run(one);
  add_run(one);
  const auto two = add_thread();
  const auto other = add_run(two);
  EXPECT_EQ(claimable(), (std::vector{first.id, other.id}));
  EXPECT_EQ(claimable({"graph"}, 1), std::vector{first.id});
  EXPECT_TRUE(claimable({"unknown"}).empty());
  EXPECT_TRUE(claimable({}).empty());
  EXPECT_EQ(get(store().next_due(now)), delayed.not_before);
  EXPECT_EQ(get(store().next_due(delayed.not_before)), std::nullopt);
  EXPECT_EQ(get(store().active_runs()).queued, 4);
  EXPECT_EQ(get(store().active_runs()).in_progress, 0);

  apply(PutLease{{"operation", LeaseKind::operation, two, 1, "", 0}});
  EXPECT_EQ(claimable(), std::vector{first.id});
  auto started = first;
  started.state = RunState::in_progress;
  apply(PutRun{started}, DropLease{"operation"});
  EXPECT_EQ(claimable(), std::vector{other.id});
  EXPECT_EQ(get(store().active_runs()).queued, 3);
  EXPECT_EQ(get(store().active_runs()).in_progress, 1);
}

TEST_P(StoreContract, RunsAreClaimedInTheOrderInWhichTheyBecameDue) {
  const auto now = env_.clock.now();
  const auto add_due = [&](int seconds_ago) {
    auto run = make_run(add_thread());
    run.not_before = now - std::chrono::seconds(seconds_ago);
    apply(PutRun{run});
    return run.id;
  };
  const auto third = add_due(1);
  const auto first = add_due(3);
  const auto second = add_due(2);
  const auto claimed = get(store().claimable_runs({"graph"}, now, 10));
  std::vector<std::string> ids;
  for (const auto& run : claimed.runs) ids.push_back(run.id);
  EXPECT_EQ(ids, (std::vector{first, second, third}));
}

TEST_P(StoreContract, ARunThatLostItsOwnerIsNotOvertaken) {
  const auto now = env_.clock.now();
  const auto claimable = [&](WallTime at) {
    std::vector<std::string> ids;
    for (const auto& run : get(store().claimable_runs({"graph"}, at, 10)).runs) ids.push_back(run.id);
    return ids;
  };
  const auto thread = add_thread();
  const auto older = add_run(thread);
  auto lost = make_run(thread);
  lost.attempt = 1;
  lost.not_before = now + std::chrono::seconds(5);
  apply(PutRun{lost});
  add_run(thread);
  EXPECT_TRUE(claimable(now).empty());
  EXPECT_EQ(claimable(lost.not_before), std::vector{lost.id});
  lost.state = RunState::completed;
  apply(PutRun{lost});
  EXPECT_EQ(claimable(now), std::vector{older.id});
}

TEST_P(StoreContract, ThreadStatusFollowsItsRunsAndState) {
  const auto thread = add_thread();
  EXPECT_EQ(status_of(thread), ThreadStatus::idle);
  auto run = add_run(thread);
  EXPECT_EQ(status_of(thread), ThreadStatus::busy);
  run.state = RunState::in_progress;
  apply(PutRun{run});
  EXPECT_EQ(status_of(thread), ThreadStatus::busy);

  auto waiting = make_checkpoint(thread, "1");
  waiting.projection = R"({"values":{"a":1},"next":["node"],"tasks":[]})";
  run.state = RunState::requires_action;
  apply(PutCheckpoint{waiting}, PutRun{run});
  EXPECT_EQ(status_of(thread), ThreadStatus::interrupted);
  run.state = RunState::completed;
  apply(PutRun{run});
  EXPECT_EQ(status_of(thread), ThreadStatus::interrupted);

  auto failing = make_run(thread, RunState::failed);
  failing.error = domain::RunError{"E", "m"};
  apply(PutRun{failing});
  auto row = get(store().thread(thread)).value();
  EXPECT_EQ(row.status, ThreadStatus::error);
  EXPECT_EQ(row.error.value().error, "E");

  auto last = add_run(thread);
  EXPECT_EQ(status_of(thread), ThreadStatus::busy);
  last.state = RunState::completed;
  apply(PutCheckpoint{make_checkpoint(thread, "2", "1")}, PutRun{last});
  row = get(store().thread(thread)).value();
  EXPECT_EQ(row.status, ThreadStatus::idle);
  EXPECT_FALSE(row.error);
  EXPECT_EQ(row.head.value().key.checkpoint_id, "2");

  apply(PutLease{{"operation", LeaseKind::operation, thread, 1, "", 0}});
  EXPECT_EQ(status_of(thread), ThreadStatus::busy);
  apply(DropLease{"operation"});
  EXPECT_EQ(status_of(thread), ThreadStatus::idle);
}

TEST_P(StoreContract, RootCheckpointsMoveTheThreadsStateTime) {
  const auto thread = add_thread();
  const auto before = get(store().thread(thread)).value();
  auto nested = make_checkpoint(thread, "1");
  nested.key.ns = "sub:1";
  apply(PutCheckpoint{nested});
  const auto between = get(store().thread(thread)).value();
  EXPECT_EQ(between.state_updated_at, before.state_updated_at);
  EXPECT_GT(between.thread.updated_at, before.thread.updated_at);
  EXPECT_FALSE(between.head);
  apply(PutCheckpoint{make_checkpoint(thread, "2")});
  const auto after = get(store().thread(thread)).value();
  EXPECT_GT(after.state_updated_at, before.state_updated_at);
  EXPECT_EQ(after.state_updated_at, after.thread.updated_at);
}

TEST_P(StoreContract, RunsOnThreadsThatAreNotThereMakeNone) {
  const auto thread = new_id();
  add_run(thread);
  EXPECT_FALSE(get(store().thread(thread)));
}

}  // namespace dg::store::contract
