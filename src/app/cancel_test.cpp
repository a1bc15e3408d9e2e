#include <gmock/gmock.h>

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using domain::CancelAction;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CancelTest : public AppTest {
 protected:
  domain::Run cancel(const domain::Run& run, CancelAction action = CancelAction::interrupt) {
    auto answer = server_.get(server_.app().runs.cancel(the_server, run.id, action));
    server_.settle();
    return answer;
  }
};

TEST_F(CancelTest, AQueuedRunEndsAtOnce) {
  const auto run = server_.create();
  EXPECT_EQ(cancel(run).state, State::cancelled);
  EXPECT_THAT(server_.events(run), ElementsAre("RunCreated", "RunCancelRequested", "RunCancelled"));
  EXPECT_EQ(server_.status(run.thread_id), domain::ThreadStatus::idle);
  TestWorker worker(server_);
  EXPECT_TRUE(worker.idle());
}

TEST_F(CancelTest, AQueuedRunIsRolledBackAtOnce) {
  const auto run = server_.create();
  cancel(run, CancelAction::rollback);
  EXPECT_FALSE(server_.exists(run));
}

TEST_F(CancelTest, ARunningRunIsAskedToStop) {
  TestWorker worker(server_);
  const auto run = server_.create();
  EXPECT_EQ(cancel(run).state, State::in_progress);
  ASSERT_EQ(worker.got<CancelOrder>().size(), 1u);
  EXPECT_EQ(worker.got<CancelOrder>()[0].owner, run.id);
  EXPECT_EQ(worker.got<CancelOrder>()[0].epoch, run.epoch);
  cancel(run);
  EXPECT_EQ(worker.got<CancelOrder>().size(), 1u) << "once is enough";

  worker.complete(run, 1, Outcome::cancelled);
  EXPECT_EQ(server_.now(run).state, State::cancelled);
  EXPECT_THAT(server_.events(run),
              ElementsAre("RunCreated", "RunStarted", "RunCancelRequested", "RunCancelled"));
}

class TimeOutTest : public AppTest {
 protected:
  TimeOutTest() : AppTest({.run_timeout = std::chrono::seconds(60)}) {}
};

TEST_F(TimeOutTest, AnAttemptThatTakesTooLongIsToldToStopAndEnds) {
  TestWorker worker(server_);
  const auto run = server_.create();
  server_.pass(std::chrono::seconds(59));
  EXPECT_THAT(worker.got<CancelOrder>(), IsEmpty());
  server_.pass(std::chrono::seconds(6));
  ASSERT_EQ(worker.got<CancelOrder>().size(), 1u);
  EXPECT_EQ(worker.got<CancelOrder>()[0].owner, run.id);
  worker.complete(run, 1, Outcome::cancelled);
  EXPECT_EQ(server_.now(run).state, State::timed_out);
  EXPECT_THAT(server_.events(run),
              ElementsAre("RunCreated", "RunStarted", "RunCancelRequested", "RunTimedOut"));
  EXPECT_EQ(server_.status(run.thread_id), domain::ThreadStatus::error);
}

TEST_F(TimeOutTest, AWorkerThatDoesNotStopIsFencedOff) {
  TestWorker worker(server_);
  const auto run = server_.create();
  server_.pass(std::chrono::seconds(71));
  EXPECT_EQ(server_.now(run).state, State::timed_out);
  EXPECT_EQ(worker.got<Superseded>().size(), 1u);
}

// As when a client closes its stream after it has cancelled.
TEST_F(CancelTest, AWorkerHasItsTimeToStopWhoeverStopsWaiting) {
  TestWorker worker(server_);
  const auto run = server_.create();
  cancel(run);
  server_.app().streams.nudge(run.id);
  server_.pass(std::chrono::seconds(4));
  EXPECT_EQ(server_.now(run).state, State::in_progress);
  server_.pass(std::chrono::seconds(2));
  EXPECT_EQ(server_.now(run).state, State::cancelled);
}

TEST_F(CancelTest, ARunThatEndedByItselfMeanwhileStaysAsItEnded) {
  TestWorker worker(server_);
  const auto run = server_.create();
  cancel(run);
  worker.complete(run, 1);
  EXPECT_EQ(server_.now(run).state, State::completed);
  server_.pass(std::chrono::seconds(6));
  EXPECT_EQ(server_.now(run).state, State::completed);
  EXPECT_THAT(worker.got<Superseded>(), IsEmpty());
}

TEST_F(CancelTest, AWorkerThatDoesNotStopIsFencedOffAndItsWordsAreRefused) {
  TestWorker worker(server_, {.slots = 1});
  const auto run = server_.create();
  const auto next = server_.create();
  cancel(run);
  server_.pass(std::chrono::seconds(5));
  EXPECT_EQ(server_.now(run).state, State::cancelled);
  EXPECT_EQ(worker.leased().id, next.id) << "the slot is free again";
  const auto frames = server_.frames(run);
  worker.say(run, 1, values("{}"));
  EXPECT_EQ(server_.frames(run), frames);
  EXPECT_EQ(worker.got<Superseded>().back().owner, run.id);
}

TEST_F(CancelTest, ARollbackDeletesWhatTheRunDid) {
  TestWorker worker(server_);
  const auto run = server_.create(server_.make_thread());
  worker.say(run, 1, checkpoint("1", "{}"));
  cancel(run, CancelAction::rollback);
  EXPECT_TRUE(server_.exists(run));
  worker.complete(run, 2, Outcome::cancelled);
  EXPECT_FALSE(server_.exists(run));
  EXPECT_FALSE(server_.get(server_.store().state(run.thread_id, "", "1")));
  EXPECT_EQ(server_.status(run.thread_id), domain::ThreadStatus::idle);
}

TEST_F(CancelTest, APausedRunIsOverAtOnce) {
  TestWorker worker(server_);
  const auto run = server_.create();
  worker.complete(run, 1, Outcome::interrupted);
  EXPECT_EQ(cancel(run).state, State::cancelled);
}

TEST_F(CancelTest, ARunThatIsOverIsLeftAlone) {
  TestWorker worker(server_);
  const auto run = server_.create();
  worker.complete(run, 1);
  EXPECT_EQ(cancel(run, CancelAction::rollback).state, State::completed);
  EXPECT_TRUE(server_.exists(run));
  const auto unknown = server_.wait(
      server_.app().runs.cancel(the_server, make_uuid7(server_.world.env), CancelAction::interrupt));
  EXPECT_EQ(unknown.error().code, Errc::not_found);
}

TEST_F(CancelTest, ACancelledRunIsNotTriedAgainWhenItsWorkerIsLost) {
  auto worker = std::make_unique<TestWorker>(server_);
  const auto run = server_.create();
  cancel(run);
  worker->die();
  EXPECT_EQ(server_.now(run).state, State::cancelled);
}

TEST_F(CancelTest, AWorkerThatComesBackIsToldAgain) {
  TestWorker worker(server_);
  const auto run = server_.create();
  worker.disconnect();
  cancel(run);
  const auto welcome = worker.connect({{run.id, run.epoch}});
  ASSERT_TRUE(welcome);
  ASSERT_EQ(welcome->owned.size(), 1u);
  EXPECT_EQ(welcome->owned[0].state, OwnedAnswer::State::cancel);
  EXPECT_EQ(welcome->owned[0].action, CancelAction::interrupt);
}

TEST_F(CancelTest, ACancelOutlivesTheServer) {
  TestWorker worker(server_);
  const auto run = server_.create();
  cancel(run);
  server_.pass(std::chrono::seconds(4));
  server_.kill();
  server_.start();
  ASSERT_TRUE(worker.connect({{run.id, run.epoch}}));
  server_.pass(std::chrono::seconds(5));
  EXPECT_EQ(server_.now(run).state, State::cancelled);
}

TEST_F(CancelTest, ManyAreFoundByThreadIdsOrStates) {
  TestWorker worker(server_);
  const auto running = server_.create();
  const auto waiting = server_.create();
  const auto other = server_.create();
  const auto cancel_many = [this](CancelFilter filter) {
    const auto count =
        server_.get(server_.app().runs.cancel_many(the_server, std::move(filter), CancelAction::interrupt));
    server_.settle();
    return count;
  };
  EXPECT_EQ(cancel_many({other.thread_id, {}, {}}), 1);
  EXPECT_EQ(server_.now(other).state, State::cancelled);
  EXPECT_EQ(server_.now(waiting).state, State::queued);
  EXPECT_EQ(cancel_many({std::nullopt, {}, {State::in_progress}}), 1);
  EXPECT_EQ(server_.now(running).cancel, CancelAction::interrupt);
  EXPECT_EQ(cancel_many({std::nullopt, {waiting.id, other.id}, {}}), 1) << "one of them is over already";
  EXPECT_EQ(server_.now(waiting).state, State::cancelled);
}

// More than one page, and every one of them stops matching once it is cancelled.
TEST_F(CancelTest, ManyAreCancelledWhateverThePages) {
  for (int i = 0; i < 1100; ++i) server_.create();
  const auto count = server_.get(server_.app().runs.cancel_many(
      the_server, {std::nullopt, {}, {State::queued}}, CancelAction::interrupt));
  EXPECT_EQ(count, 1100);
  EXPECT_TRUE(server_.get(server_.app().runs.list(the_server, {"", {State::queued}, {}}, {})).empty());
}

}  // namespace
}  // namespace dg::app::testing
