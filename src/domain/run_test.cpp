#include "domain/run.hpp"

#include <gtest/gtest.h>

#include "domain/event.hpp"
#include "domain/run_testing.hpp"

namespace dg::domain {
namespace {

using testing::created_run;
using testing::fields_of;
using testing::running_run;

constexpr WallTime later{std::chrono::microseconds(5000)};

TEST(RunNames, ComeBack) {
  for (const auto state : {RunState::queued, RunState::in_progress, RunState::requires_action,
                           RunState::completed, RunState::failed, RunState::cancelled, RunState::timed_out})
    EXPECT_EQ(run_state_from(to_string(state)), state);
  for (const auto strategy : {MultitaskStrategy::reject, MultitaskStrategy::enqueue,
                              MultitaskStrategy::interrupt, MultitaskStrategy::rollback})
    EXPECT_EQ(multitask_from(to_string(strategy)), strategy);
  for (const auto durability : {Durability::sync, Durability::async, Durability::exit})
    EXPECT_EQ(durability_from(to_string(durability)), durability);
  EXPECT_EQ(to_string(CancelAction::none), "none");
  EXPECT_EQ(to_string(CancelAction::interrupt), "interrupt");
  EXPECT_EQ(to_string(CancelAction::rollback), "rollback");
  EXPECT_EQ(run_state_from("success"), std::nullopt);
  EXPECT_EQ(multitask_from(""), std::nullopt);
  EXPECT_EQ(durability_from("Sync"), std::nullopt);
}

TEST(AggregateNames, AreWords) {
  EXPECT_EQ(to_string(AggregateType::assistant), "assistant");
  EXPECT_EQ(to_string(AggregateType::thread), "thread");
  EXPECT_EQ(to_string(AggregateType::run), "run");
}

TEST(RunStates, ArePartedIntoActivePausedAndTerminal) {
  for (const auto state : {RunState::queued, RunState::in_progress}) {
    EXPECT_TRUE(is_active(state));
    EXPECT_FALSE(is_terminal(state));
  }
  EXPECT_FALSE(is_active(RunState::requires_action));
  EXPECT_FALSE(is_terminal(RunState::requires_action));
  for (const auto state : {RunState::completed, RunState::failed, RunState::cancelled, RunState::timed_out}) {
    EXPECT_FALSE(is_active(state));
    EXPECT_TRUE(is_terminal(state));
  }
}

TEST(RunEvolve, CreatedSetsEverything) {
  domain::Run run;
  run.id = "r1";
  run = evolve(run, RunCreated{"t", "a", "g", testing::full_request(), R"({"k":1})", from_micros(77)},
               from_micros(42));
  EXPECT_EQ(run.id, "r1");
  EXPECT_EQ(run.thread_id, "t");
  EXPECT_EQ(run.assistant_id, "a");
  EXPECT_EQ(run.graph_id, "g");
  EXPECT_EQ(run.state, RunState::queued);
  EXPECT_EQ(fields_of(run.request), fields_of(testing::full_request()));
  EXPECT_EQ(run.metadata, R"({"k":1})");
  EXPECT_EQ(run.not_before, from_micros(77));
  EXPECT_EQ(run.created_at, from_micros(42));
  EXPECT_EQ(run.updated_at, from_micros(42));
  EXPECT_EQ(run.epoch, 0);
  EXPECT_EQ(run.version, 1);
}

TEST(RunEvolve, StartedNamesTheOwner) {
  const auto run = evolve(created_run(), RunStarted{"s", "w", "rev", 4, 2}, later);
  EXPECT_EQ(run.state, RunState::in_progress);
  EXPECT_EQ(run.epoch, 4);
  EXPECT_EQ(run.attempt, 2);
  EXPECT_EQ(run.session_id, "s");
  EXPECT_EQ(run.revision, "rev");
  EXPECT_EQ(run.created_at, created_run().created_at);
  EXPECT_EQ(run.updated_at, later);
  EXPECT_EQ(run.version, 2);
}

TEST(RunEvolve, FactsOnTheWayKeepTheState) {
  const auto before = running_run();
  auto run = evolve(before, CheckpointSaved{"c", "", "rev"}, later);
  EXPECT_EQ(run.updated_at, before.updated_at);
  EXPECT_TRUE(run.has_checkpoint);
  run = evolve(run, RunCancelRequested{CancelAction::rollback}, later);
  EXPECT_EQ(run.cancel, CancelAction::rollback);
  run = evolve(run, RunDeleted{"gone"}, later);
  EXPECT_EQ(run.state, RunState::in_progress);
  EXPECT_EQ(run.version, 5);
}

TEST(RunEvolve, EndsSayHow) {
  const auto paused = evolve(running_run(), RunRequiresAction{}, later);
  EXPECT_EQ(paused.state, RunState::requires_action);

  const auto completed = evolve(paused, RunCompleted{"r2"}, later);
  EXPECT_EQ(completed.state, RunState::completed);
  EXPECT_EQ(completed.resumed_by, "r2");

  const auto failed = evolve(running_run(), RunFailed{{"ValueError", "no"}}, later);
  EXPECT_EQ(failed.state, RunState::failed);
  EXPECT_EQ(fields_of(failed.error), std::tuple("ValueError", "no"));

  EXPECT_EQ(evolve(running_run(), RunCancelled{}, later).state, RunState::cancelled);

  const auto timed_out = evolve(running_run(), RunTimedOut{"60 s were over"}, later);
  EXPECT_EQ(timed_out.state, RunState::timed_out);
  EXPECT_EQ(fields_of(timed_out.error), std::tuple("TimeoutError", "60 s were over"));
}

TEST(RunEvolve, ALostOwnerLeavesAQueuedRun) {
  const auto run = evolve(running_run(), LeaseExpired{"s1", "gone", 2, from_micros(9000)}, later);
  EXPECT_EQ(run.state, RunState::queued);
  EXPECT_EQ(run.epoch, 2);
  EXPECT_EQ(run.session_id, "");
  EXPECT_EQ(run.not_before, from_micros(9000));
  EXPECT_EQ(run.attempt, 1);
}

}  // namespace
}  // namespace dg::domain
