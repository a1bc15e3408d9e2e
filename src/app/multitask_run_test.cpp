#include <gmock/gmock.h>

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using domain::MultitaskStrategy;
using ::testing::IsEmpty;

// A thread on which one run executes and another one is queued.
class MultitaskTest : public AppTest {
 protected:
  Result<domain::Run> create(MultitaskStrategy strategy) {
    auto order = TestServer::order(thread_);
    order.request.multitask = strategy;
    return server_.wait(server_.app().runs.create(the_server, std::move(order)));
  }

  TestWorker worker_{server_, {.slots = 3}};
  std::string thread_ = server_.make_thread();
  domain::Run running_ = server_.create(thread_);
  domain::Run queued_ = server_.create(thread_);
};

TEST_F(MultitaskTest, RejectRefusesWhileOneIsActive) {
  const auto refused = create(MultitaskStrategy::reject);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::busy);
  EXPECT_EQ(server_.get(server_.app().runs.list(the_server, {thread_, {}, {}}, {})).size(), 2u);

  worker_.complete(running_, 1);
  EXPECT_FALSE(create(MultitaskStrategy::reject)) << "the queued one has started";
  worker_.complete(worker_.leased(), 1);
  EXPECT_TRUE(create(MultitaskStrategy::reject));
}

TEST_F(MultitaskTest, RejectRefusesWhileAnOperationHoldsTheThread) {
  const auto thread = server_.make_thread();
  server_.get(server_.app().threads.begin(thread, worker_.session()));
  auto order = TestServer::order(thread);
  order.request.multitask = MultitaskStrategy::reject;
  const auto refused = server_.wait(server_.app().runs.create(the_server, std::move(order)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::busy);
}

TEST_F(MultitaskTest, EnqueueWaitsForItsTurn) {
  const auto last = create(MultitaskStrategy::enqueue);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->state, State::queued);
  EXPECT_THAT(worker_.got<CancelOrder>(), IsEmpty());
  worker_.complete(running_, 1);
  EXPECT_EQ(worker_.leased().id, queued_.id);
  worker_.complete(worker_.leased(), 1);
  EXPECT_EQ(worker_.leased().id, last->id);
}

TEST_F(MultitaskTest, TheOrderIsThatOfMakingAlsoWhereTheNextInstancesClockIsBehind) {
  server_.world.clock.replace(-std::chrono::milliseconds(5));
  const auto last = create(MultitaskStrategy::enqueue);
  ASSERT_TRUE(last);
  server_.world.timers.run_for(std::chrono::milliseconds(10));
  worker_.complete(running_, 1);
  EXPECT_EQ(worker_.leased().id, queued_.id);
  worker_.complete(worker_.leased(), 1);
  EXPECT_EQ(worker_.leased().id, last->id);
}

TEST_F(MultitaskTest, InterruptStopsTheOthersAndKeepsWhatTheyDid) {
  worker_.say(running_, 1, checkpoint("1", R"({"a":1})"));
  const auto last = create(MultitaskStrategy::interrupt);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->state, State::queued) << "until the running one has stopped";
  EXPECT_EQ(server_.now(queued_).state, State::cancelled);
  server_.settle();
  ASSERT_EQ(worker_.got<CancelOrder>().size(), 1u);
  EXPECT_EQ(worker_.got<CancelOrder>()[0].owner, running_.id);
  EXPECT_EQ(worker_.got<CancelOrder>()[0].action, domain::CancelAction::interrupt);

  worker_.complete(running_, 2, Outcome::cancelled);
  EXPECT_EQ(server_.now(running_).state, State::cancelled);
  EXPECT_EQ(worker_.leased().id, last->id);
  EXPECT_TRUE(server_.get(server_.store().state(thread_, "", "1")));
}

TEST_F(MultitaskTest, RollbackDeletesTheOthersWithWhatTheyDid) {
  worker_.say(running_, 1, checkpoint("1", R"({"a":1})"));
  const auto last = create(MultitaskStrategy::rollback);
  ASSERT_TRUE(last);
  EXPECT_FALSE(server_.exists(queued_));
  EXPECT_TRUE(server_.exists(running_)) << "only once it has stopped";
  EXPECT_EQ(worker_.got<CancelOrder>().at(0).action, domain::CancelAction::rollback);

  worker_.complete(running_, 2, Outcome::cancelled);
  EXPECT_FALSE(server_.exists(running_));
  EXPECT_FALSE(server_.get(server_.store().state(thread_, "", "1")));
  EXPECT_EQ(worker_.leased().id, last->id);
}

TEST_F(MultitaskTest, AWorkerThatDoesNotStopIsFencedOff) {
  const auto last = create(MultitaskStrategy::interrupt);
  ASSERT_TRUE(last);
  server_.pass(std::chrono::milliseconds(4999));
  EXPECT_EQ(server_.now(*last).state, State::queued);
  server_.pass(std::chrono::milliseconds(1));
  EXPECT_EQ(server_.now(running_).state, State::cancelled);
  EXPECT_EQ(worker_.leased().id, last->id);
  EXPECT_EQ(worker_.got<Superseded>().at(0).owner, running_.id);
}

TEST_F(MultitaskTest, TwoAtOnceAreDecidedOneAfterTheOther) {
  auto order = TestServer::order(server_.make_thread());
  order.request.multitask = MultitaskStrategy::reject;
  std::vector<Result<domain::Run>> answers;
  for (int i = 0; i < 2; ++i) {
    spawn(server_.world.timers.executor(), "create",
          [](TestServer& server, RunOrder wanted, std::vector<Result<domain::Run>>& out) -> Task<void> {
            out.push_back(co_await server.app().runs.create(the_server, std::move(wanted)));
          }(server_, order, answers));
  }
  server_.settle();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_NE(answers[0].has_value(), answers[1].has_value());
}

}  // namespace
}  // namespace dg::app::testing
