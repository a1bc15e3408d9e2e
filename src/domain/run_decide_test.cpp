#include <gtest/gtest.h>

#include "domain/run.hpp"
#include "domain/run_testing.hpp"

namespace dg::domain {
namespace {

using std::chrono::milliseconds;
using testing::created_run;
using testing::folded;
using testing::running_run;

constexpr WallTime now{std::chrono::microseconds(1'000'000)};

std::vector<std::string_view> types_of(const RunEvents& events) {
  std::vector<std::string_view> types;
  for (const auto& event : events.value()) types.push_back(type_of(event));
  return types;
}

using Types = std::vector<std::string_view>;

Run paused_run() {
  return evolve(running_run(), RunRequiresAction{}, now);
}
Run asked_run(CancelAction action) {
  return evolve(running_run(), RunCancelRequested{action}, now);
}

std::vector<Run> ended_runs() {
  return {evolve(running_run(), RunCompleted{}, now), evolve(running_run(), RunFailed{{"E", "m"}}, now),
          evolve(running_run(), RunCancelled{}, now), evolve(running_run(), RunTimedOut{"m"}, now)};
}

TEST(RetryBackoff, Grows) {
  EXPECT_EQ(retry_backoff(0), milliseconds(0));
  EXPECT_EQ(retry_backoff(1), milliseconds(0));
  EXPECT_EQ(retry_backoff(2), milliseconds(1000));
  EXPECT_EQ(retry_backoff(3), milliseconds(5000));
  EXPECT_EQ(retry_backoff(4), milliseconds(15000));
  EXPECT_EQ(retry_backoff(1000), milliseconds(15000));
}

TEST(DecideStart, CountsByItself) {
  auto run = created_run();
  run.epoch = 6;
  run.attempt = 3;
  const auto events = decide_start(run, RunStarted{"s", "w", "rev", 100, 100}, now);
  ASSERT_EQ(types_of(events), Types{"RunStarted"});
  EXPECT_EQ(testing::fields_of(std::get<RunStarted>(events->front())), std::tuple("s", "w", "rev", 7, 4));
}

TEST(DecideStart, WaitsUntilTheRunIsDue) {
  auto run = created_run();
  run.not_before = now;
  EXPECT_EQ(decide_start(run, {}, now - std::chrono::microseconds(1)).error().code, Errc::busy);
  EXPECT_TRUE(decide_start(run, {}, now));
}

TEST(DecideStart, TakesNothingButQueuedRuns) {
  EXPECT_EQ(decide_start(running_run(), {}, now).error().code, Errc::busy);
  EXPECT_EQ(decide_start(paused_run(), {}, now).error().code, Errc::busy);
  for (const auto& run : ended_runs()) EXPECT_EQ(decide_start(run, {}, now).error().code, Errc::busy);
}

TEST(DecideEnd, BelongsToTheNewestOwner) {
  const auto run = running_run();
  EXPECT_EQ(types_of(decide_complete(run, 1)), Types{"RunCompleted"});
  EXPECT_EQ(types_of(decide_pause(run, 1)), Types{"RunRequiresAction"});
  const auto failed = decide_fail(run, 1, {"E", "m"});
  ASSERT_EQ(types_of(failed), Types{"RunFailed"});
  EXPECT_EQ(std::get<RunFailed>(failed->front()).error.message, "m");
  for (const std::int64_t epoch : {0, 2}) {
    EXPECT_EQ(decide_complete(run, epoch).error().code, Errc::superseded);
    EXPECT_EQ(decide_pause(run, epoch).error().code, Errc::superseded);
    EXPECT_EQ(decide_fail(run, epoch, {}).error().code, Errc::superseded);
  }
}

TEST(DecideEnd, ComesOnce) {
  auto runs = ended_runs();
  runs.push_back(created_run());
  runs.push_back(paused_run());
  for (const auto& run : runs) {
    EXPECT_EQ(decide_complete(run, run.epoch).error().code, Errc::superseded);
    EXPECT_EQ(decide_pause(run, run.epoch).error().code, Errc::superseded);
    EXPECT_EQ(decide_fail(run, run.epoch, {}).error().code, Errc::superseded);
    EXPECT_EQ(decide_cancelled(run).error().code, Errc::superseded);
    EXPECT_EQ(decide_lose_owner(run, "gone", now).error().code, Errc::superseded);
  }
}

TEST(DecideEnd, ACancelLosesAgainstAResultButNotAgainstAPause) {
  const auto run = asked_run(CancelAction::interrupt);
  EXPECT_EQ(types_of(decide_complete(run, 1)), Types{"RunCompleted"});
  EXPECT_EQ(types_of(decide_fail(run, 1, {})), Types{"RunFailed"});
  const auto paused = decide_pause(run, 1);
  EXPECT_EQ(types_of(paused), (Types{"RunRequiresAction", "RunCancelled"}));
  EXPECT_EQ(folded(run, *paused, now).state, RunState::cancelled);
}

TEST(DecideTimeOut, AsksARunningRunOnce) {
  const auto asked = decide_time_out(running_run());
  ASSERT_EQ(types_of(asked), Types{"RunCancelRequested"});
  EXPECT_EQ(std::get<RunCancelRequested>(asked->front()).action, CancelAction::time_out);
  for (const auto& run :
       {created_run(), paused_run(), asked_run(CancelAction::interrupt), asked_run(CancelAction::time_out)})
    EXPECT_EQ(types_of(decide_time_out(run)), Types{});
  for (const auto& run : ended_runs()) EXPECT_EQ(types_of(decide_time_out(run)), Types{});
}

TEST(DecideTimeOut, EndsARunThatStoppedOrLostItsOwner) {
  const auto run = asked_run(CancelAction::time_out);
  EXPECT_EQ(types_of(decide_cancelled(run)), Types{"RunTimedOut"});
  EXPECT_EQ(types_of(decide_lose_owner(run, "gone", now)), Types{"RunTimedOut"});
  EXPECT_EQ(types_of(decide_pause(run, 1)), (Types{"RunRequiresAction", "RunTimedOut"}));
  EXPECT_EQ(types_of(decide_complete(run, 1)), Types{"RunCompleted"});
  const auto over = folded(run, *decide_cancelled(run), now);
  EXPECT_EQ(over.state, RunState::timed_out);
  EXPECT_EQ(over.error.value().error, "TimeoutError");
}

TEST(DecideCancel, EndsWhatDoesNotRunAtOnce) {
  const auto queued = decide_cancel(created_run(), CancelAction::rollback);
  ASSERT_EQ(types_of(queued), (Types{"RunCancelRequested", "RunCancelled"}));
  EXPECT_EQ(std::get<RunCancelRequested>(queued->front()).action, CancelAction::rollback);
  EXPECT_EQ(types_of(decide_cancel(paused_run(), CancelAction::interrupt)), Types{"RunCancelled"});
}

TEST(DecideCancel, AsksARunningRunOnceAndForMoreOnlyUpwards) {
  using enum CancelAction;
  EXPECT_EQ(types_of(decide_cancel(running_run(), interrupt)), Types{"RunCancelRequested"});
  EXPECT_EQ(types_of(decide_cancel(asked_run(interrupt), interrupt)), Types{});
  EXPECT_EQ(types_of(decide_cancel(asked_run(rollback), interrupt)), Types{});
  EXPECT_EQ(types_of(decide_cancel(asked_run(rollback), rollback)), Types{});
  const auto upgraded = decide_cancel(asked_run(interrupt), rollback);
  ASSERT_EQ(types_of(upgraded), Types{"RunCancelRequested"});
  EXPECT_EQ(std::get<RunCancelRequested>(upgraded->front()).action, rollback);
}

TEST(DecideCancel, LeavesWhatIsOver) {
  for (const auto& run : ended_runs())
    EXPECT_EQ(types_of(decide_cancel(run, CancelAction::rollback)), Types{});
}

TEST(DecideCancel, NeedsAnAction) {
  EXPECT_EQ(decide_cancel(running_run(), CancelAction::none).error().code, Errc::invalid_argument);
}

TEST(DecideCancelled, NeedsARequest) {
  EXPECT_EQ(types_of(decide_cancelled(asked_run(CancelAction::interrupt))), Types{"RunCancelled"});
  EXPECT_EQ(decide_cancelled(running_run()).error().code, Errc::conflict);
}

TEST(DecideLoseOwner, QueuesAgainWithANewEpochAndABackoff) {
  auto run = running_run();
  run.attempt = 3;
  const auto events = decide_lose_owner(run, "its connection closed", now);
  ASSERT_EQ(types_of(events), Types{"LeaseExpired"});
  EXPECT_EQ(testing::fields_of(std::get<LeaseExpired>(events->front())),
            std::tuple("s1", "its connection closed", run.epoch + 1, now + milliseconds(5000)));
  const auto after = folded(run, *events, now);
  EXPECT_EQ(decide_complete(after, run.epoch).error().code, Errc::superseded);
}

TEST(DecideLoseOwner, KeepsACancel) {
  EXPECT_EQ(types_of(decide_lose_owner(asked_run(CancelAction::interrupt), "gone", now)),
            Types{"RunCancelled"});
}

TEST(DecideLoseOwner, GivesUpAfterTheLastAttempt) {
  auto run = created_run();
  for (std::int64_t attempt = 1; attempt < max_attempts; ++attempt) {
    run = folded(run, *decide_start(run, {"s", "w", "rev", 0, 0}, run.not_before), now);
    EXPECT_EQ(run.attempt, attempt);
    run = folded(run, *decide_lose_owner(run, "gone", now), now);
    ASSERT_EQ(run.state, RunState::queued);
    EXPECT_EQ(run.not_before, now + retry_backoff(attempt));
  }
  run = folded(run, *decide_start(run, {"s", "w", "rev", 0, 0}, run.not_before), now);
  run = folded(run, *decide_lose_owner(run, "it was killed", now), now);
  ASSERT_EQ(run.state, RunState::failed);
  EXPECT_EQ(run.error->error, "WorkerLost");
  EXPECT_NE(run.error->message.find("5 attempts"), std::string::npos);
  EXPECT_NE(run.error->message.find("it was killed"), std::string::npos);
}

TEST(DecideResumedBy, CompletesAPausedRun) {
  const auto events = decide_resumed_by(paused_run(), "r2");
  ASSERT_EQ(types_of(events), Types{"RunCompleted"});
  EXPECT_EQ(std::get<RunCompleted>(events->front()).resumed_by, "r2");
  EXPECT_EQ(decide_resumed_by(created_run(), "r2").error().code, Errc::conflict);
  EXPECT_EQ(decide_resumed_by(running_run(), "r2").error().code, Errc::conflict);
  for (const auto& run : ended_runs()) EXPECT_EQ(decide_resumed_by(run, "r2").error().code, Errc::conflict);
}

TEST(DecideDelete, SparesActiveRuns) {
  EXPECT_EQ(decide_delete(created_run(), "r").error().code, Errc::busy);
  EXPECT_EQ(decide_delete(running_run(), "r").error().code, Errc::busy);
  EXPECT_EQ(types_of(decide_delete(paused_run(), "r")), Types{"RunDeleted"});
  for (const auto& run : ended_runs()) {
    const auto events = decide_delete(run, "asked for");
    ASSERT_EQ(types_of(events), Types{"RunDeleted"});
    EXPECT_EQ(std::get<RunDeleted>(events->front()).reason, "asked for");
  }
}

}  // namespace
}  // namespace dg::domain
