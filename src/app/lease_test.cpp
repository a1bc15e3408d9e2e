#include <gmock/gmock.h>

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LeaseTest : public AppTest {
 protected:
  // Two workers; the run is on the first.
  std::unique_ptr<TestWorker> first_ = std::make_unique<TestWorker>(server_, WorkerTraits{.name = "first"});
  domain::Run run_ = server_.create(server_.make_thread());
  std::unique_ptr<TestWorker> second_ = std::make_unique<TestWorker>(server_, WorkerTraits{.name = "second"});
};

TEST_F(LeaseTest, ASilentWorkerLosesItsRunToAnother) {
  first_->fall_silent();
  server_.pass(milliseconds(9999));
  EXPECT_EQ(server_.now(run_).session_id, first_->session());
  EXPECT_TRUE(second_->idle());
  server_.pass(milliseconds(1));
  const auto again = second_->leased();
  EXPECT_EQ(again.id, run_.id);
  EXPECT_GT(again.epoch, run_.epoch);
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(first_->link().closed->first, 4409);
  EXPECT_THAT(server_.events(run_), ElementsAre("RunCreated", "RunStarted", "LeaseExpired", "RunStarted"));
  EXPECT_EQ(server_.frames(run_).back(), "metadata {\"run_id\":\"" + run_.id + "\",\"attempt\":2}");
}

TEST_F(LeaseTest, WhatTheOldOwnerSaysIsRefused) {
  first_->say(run_, 1, values(R"({"a":1})"));
  first_->fall_silent();
  server_.pass(seconds(10));
  const auto frames = server_.frames(run_);
  first_->say(run_, 2, values(R"({"late":true})"));
  first_->say(run_, 3, checkpoint("9", "{}"));
  first_->complete(run_, 4);
  EXPECT_EQ(first_->got<Superseded>().size(), 3u);
  EXPECT_EQ(first_->got<Superseded>()[0].owner, run_.id);
  EXPECT_EQ(first_->got<Superseded>()[0].epoch, run_.epoch);
  EXPECT_EQ(server_.frames(run_), frames);
  EXPECT_FALSE(server_.get(server_.store().state(run_.thread_id, "", "9")));
  EXPECT_EQ(server_.now(run_).state, State::in_progress);

  second_->complete(second_->leased(), 1);
  EXPECT_EQ(server_.now(run_).state, State::completed);
}

TEST_F(LeaseTest, AHeartbeatKeepsTheLease) {
  server_.pass(std::chrono::hours(1));
  EXPECT_EQ(server_.now(run_).session_id, first_->session());
  EXPECT_EQ(server_.now(run_).attempt, 1);
}

TEST_F(LeaseTest, AHeartbeatOfASessionThatEndedChangesNothing) {
  first_->fall_silent();
  server_.pass(seconds(10));
  const auto again = second_->leased();
  for (int i = 0; i < 30; ++i) {
    server_.app().workers.beat(first_->session());
    server_.pass(seconds(2));
  }
  const auto sessions = server_.get(server_.store().sessions());
  ASSERT_EQ(sessions.size(), 1u);
  EXPECT_EQ(sessions[0].id, second_->session());
  EXPECT_EQ(server_.now(run_).session_id, second_->session());
  EXPECT_EQ(server_.now(run_).epoch, again.epoch);
}

TEST_F(LeaseTest, AnEndedProcessIsNotWaitedFor) {
  first_->die();
  EXPECT_EQ(second_->leased().id, run_.id);
}

TEST_F(LeaseTest, AClosedConnectionHasTwoSecondsToComeBack) {
  first_->disconnect();
  server_.pass(milliseconds(1999));
  EXPECT_TRUE(second_->idle());
  server_.pass(milliseconds(1));
  EXPECT_EQ(second_->leased().id, run_.id);
}

TEST_F(LeaseTest, AWorkerThatCameBackGoesOn) {
  first_->say(run_, 1, values("{}"));
  first_->disconnect();
  server_.pass(seconds(1));
  const auto welcome = first_->connect({{run_.id, run_.epoch}});
  ASSERT_TRUE(welcome);
  ASSERT_EQ(welcome->owned.size(), 1u);
  EXPECT_EQ(welcome->owned[0].state, OwnedAnswer::State::live);
  EXPECT_EQ(welcome->owned[0].applied_n, 1);
  EXPECT_THAT(welcome->offers, IsEmpty());
  server_.pass(seconds(5));
  first_->complete(run_, 2);
  EXPECT_EQ(server_.now(run_).state, State::completed);
  EXPECT_TRUE(second_->idle());
}

TEST_F(LeaseTest, ALeaseThatNeverArrivedIsGivenAgain) {
  first_->disconnect();
  const auto welcome = first_->connect();
  ASSERT_TRUE(welcome);
  ASSERT_EQ(welcome->offers.size(), 1u);
  EXPECT_EQ(welcome->offers[0].run.id, run_.id);
  EXPECT_EQ(welcome->offers[0].run.epoch, run_.epoch);
}

TEST_F(LeaseTest, AnOldOwnerThatComesBackIsToldThatItIsNone) {
  first_->fall_silent();
  server_.pass(seconds(10));
  const auto late = first_->connect({{run_.id, run_.epoch}});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::superseded);
  EXPECT_TRUE(first_->connect()) << "without runs it may begin anew";
}

TEST_F(LeaseTest, AClaimOfAnotherEpochIsSuperseded) {
  first_->disconnect();
  const auto welcome = first_->connect({{run_.id, run_.epoch + 1}, {make_uuid7(server_.world.env), 1}});
  ASSERT_TRUE(welcome);
  for (const auto& answer : welcome->owned) EXPECT_EQ(answer.state, OwnedAnswer::State::superseded);
}

TEST_F(LeaseTest, ACleanGoodbyeEndsTheSessionAtOnce) {
  first_->disconnect(true);
  EXPECT_EQ(second_->leased().id, run_.id);
}

TEST_F(LeaseTest, ASessionIsItsSecretHolders) {
  Hello hello;
  hello.session = first_->session();
  hello.secret = std::string(32, 'x');
  const auto link = std::make_shared<RecordingLink>();
  const auto stolen = server_.wait(server_.app().workers.hello(hello, link));
  ASSERT_FALSE(stolen);
  EXPECT_EQ(stolen.error().code, Errc::forbidden);
  first_->complete(run_, 1);
  EXPECT_EQ(server_.now(run_).state, State::completed);
}

TEST_F(LeaseTest, ANewerConnectionReplacesTheOlder) {
  const auto old = first_->shared_link();
  ASSERT_TRUE(first_->connect({{run_.id, run_.epoch}}));
  EXPECT_EQ(old->closed->first, 1001);
  server_.app().workers.disconnected(first_->session(), old.get(), false);
  server_.pass(seconds(3));
  EXPECT_EQ(server_.now(run_).session_id, first_->session()) << "the old one's end does not count";
}

TEST_F(LeaseTest, ARunThatWasGivenUpIsTriedAgain) {
  first_->complete(run_, 1, Outcome::cancelled);
  EXPECT_EQ(server_.now(run_).attempt, 2);
  EXPECT_THAT(server_.events(run_), ::testing::Contains("LeaseExpired"));
}

TEST_F(LeaseTest, AfterARestartEverySessionIsObservedAnew) {
  server_.pass(seconds(9));
  server_.kill();
  server_.start();
  const auto welcome = first_->connect({{run_.id, run_.epoch}});
  ASSERT_TRUE(welcome);
  EXPECT_EQ(welcome->owned.at(0).state, OwnedAnswer::State::live);
  ASSERT_TRUE(second_->connect());
  first_->complete(run_, 1);
  EXPECT_EQ(server_.now(run_).state, State::completed);
}

TEST_F(LeaseTest, AWorkerThatDiedWithTheServerIsReplacedTwoSecondsLater) {
  server_.kill();
  server_.start();
  TestWorker third(server_, {.name = "third"});
  server_.pass(milliseconds(1999));
  EXPECT_TRUE(third.idle());
  server_.pass(milliseconds(1));
  EXPECT_EQ(third.leased().id, run_.id);
}

// Backoff: at once, then after 1, 5 and 15 seconds; the fifth loss is the last.
TEST_F(LeaseTest, AttemptsAreBoundedAndSpacedOut) {
  second_->die();
  first_->die();
  std::vector<Duration> waits;
  for (int attempt = 2; attempt <= domain::max_attempts; ++attempt) {
    TestWorker worker(server_);
    const auto began = server_.world.timers.now();
    while (worker.idle()) {
      ASSERT_TRUE(server_.world.timers.make_next_call(began + seconds(60)));
      server_.settle();
    }
    waits.push_back(server_.world.timers.now() - began);
    EXPECT_EQ(worker.leased().attempt, attempt);
    worker.die();
  }
  EXPECT_THAT(waits, ElementsAre(seconds(0), seconds(1), seconds(5), seconds(15)));
  const auto failed = server_.now(run_);
  EXPECT_EQ(failed.state, State::failed);
  EXPECT_EQ(failed.error->error, "WorkerLost");
  EXPECT_THAT(failed.error->message, HasSubstr("5 attempts"));
  EXPECT_THAT(server_.frames(run_).back(), HasSubstr("error {\"error\":\"WorkerLost\""));
  EXPECT_EQ(server_.status(run_.thread_id), domain::ThreadStatus::error);
}

// Another run on top of its checkpoint would have it begin anew.
TEST_F(LeaseTest, NobodyOvertakesARunThatWaitsForItsNextAttempt) {
  const auto next = server_.create(run_.thread_id);
  first_->die();
  EXPECT_EQ(second_->leased().id, run_.id);
  second_->die();
  ASSERT_GT(server_.now(run_).not_before, server_.world.clock.now());
  TestWorker third(server_);
  EXPECT_TRUE(third.idle());
  EXPECT_EQ(server_.get(server_.app().runs.why(the_server, next.id)).code, "thread_busy");
  server_.pass(seconds(1));
  EXPECT_EQ(third.leased().id, run_.id);
  third.complete(third.leased(), 1);
  EXPECT_EQ(third.leased().id, next.id);
}

TEST_F(LeaseTest, AFurtherAttemptGoesOnFromTheRunsOwnCheckpoint) {
  first_->say(run_, 1, checkpoint("1", "{}"));
  first_->die();
  const auto again = second_->leased();
  EXPECT_TRUE(again.has_checkpoint);
  EXPECT_EQ(again.request.input, run_.request.input);
}

}  // namespace
}  // namespace dg::app::testing
