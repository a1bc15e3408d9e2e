#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RunTiming : public AppTest {
 protected:
  domain::Run delayed(Duration after, std::optional<std::string> thread = std::nullopt) {
    auto order = TestServer::order(std::move(thread));
    order.after = after;
    return server_.create(std::move(order));
  }
};

TEST_F(RunTiming, ADelayedRunStartsWhenItsTimeComes) {
  TestWorker worker(server_);
  const auto run = delayed(seconds(90));
  EXPECT_EQ(run.state, State::queued);
  server_.pass(milliseconds(89'999));
  EXPECT_TRUE(worker.idle());
  server_.pass(milliseconds(1));
  EXPECT_EQ(worker.leased().id, run.id);
}

TEST_F(RunTiming, AnEarlierDelayIsNotMissedBehindALaterOne) {
  TestWorker worker(server_, {.slots = 2});
  const auto later = delayed(seconds(4));
  const auto sooner = delayed(milliseconds(1500));
  server_.pass(milliseconds(1500));
  EXPECT_EQ(worker.leased().id, sooner.id);
  server_.pass(milliseconds(2500));
  EXPECT_EQ(worker.leased().id, later.id);
}

TEST_F(RunTiming, ADelayedRunLetsOthersOfItsThreadPass) {
  TestWorker worker(server_, {.slots = 2});
  const auto thread = server_.make_thread();
  const auto late = delayed(seconds(60), thread);
  const auto now = server_.create(thread);
  server_.settle();
  EXPECT_EQ(worker.leased().id, now.id);
  worker.complete(worker.leased(), 1);
  server_.pass(seconds(60));
  EXPECT_EQ(worker.leased().id, late.id);
}

TEST_F(RunTiming, ADelayOutlivesTheServer) {
  const auto run = delayed(seconds(30));
  server_.pass(seconds(10));
  server_.kill();
  server_.start();
  TestWorker worker(server_);
  server_.pass(milliseconds(19'999));
  EXPECT_TRUE(worker.idle());
  server_.pass(milliseconds(1));
  EXPECT_EQ(worker.leased().id, run.id);
}

TEST_F(RunTiming, ADelayThatPassedWhileTheServerWasDownIsOver) {
  const auto run = delayed(seconds(30));
  server_.kill();
  server_.pass(seconds(60));
  server_.start();
  TestWorker worker(server_);
  EXPECT_EQ(worker.leased().id, run.id);
}

TEST_F(RunTiming, ADelayedRunCanBeCancelled) {
  TestWorker worker(server_);
  const auto run = delayed(seconds(30));
  server_.get(server_.app().runs.cancel(the_server, run.id, domain::CancelAction::interrupt));
  server_.pass(seconds(60));
  EXPECT_TRUE(worker.idle());
}

TEST_F(RunTiming, ALostWakeUpCostsTimeOnly) {
  TestWorker worker(server_);
  const auto first = server_.create();
  const auto second = server_.create();
  server_.settle();
  server_.lose_wakeups = true;
  worker.complete(first, 1);
  EXPECT_EQ(server_.now(second).state, State::queued);
  server_.pass(seconds(5));
  EXPECT_EQ(worker.leased().id, second.id);
}

TEST_F(RunTiming, AJoinEndsAtItsDeadlineOrWithTheRun) {
  TestWorker worker(server_);
  const auto run = server_.create();
  const auto began = server_.world.timers.now();
  const auto early = server_.wait(server_.app().runs.join(run.id, began + seconds(3)));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Errc::timeout);
  EXPECT_EQ(server_.world.timers.now(), began + seconds(3));

  server_.world.timers.call_at(began + seconds(7), [&] { worker.post(run, 1, CompleteSaid{}); });
  EXPECT_TRUE(server_.wait(server_.app().runs.join(run.id, began + seconds(60))));
  EXPECT_EQ(server_.world.timers.now(), began + seconds(7)) << "it is woken, it does not poll";
}

}  // namespace
}  // namespace dg::app::testing
