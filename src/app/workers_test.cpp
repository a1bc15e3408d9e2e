#include "app/workers.hpp"

#include <gmock/gmock.h>

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class WorkersTest : public AppTest {
 protected:
  Workers& workers() { return server_.app().workers; }

  // Asks in the background; the answer arrives in `answer_`.
  void ask(std::string graph, Duration wait = seconds(30)) {
    answer_.reset();
    spawn(server_.world.timers.executor(), "ask",
          ask_now(std::move(graph), server_.world.timers.now() + wait));
    server_.settle();
  }
  void reply(const TestWorker& worker, Result<std::string> result) {
    workers().replied(worker.got<WorkerRequest>().back().id, std::move(result));
    server_.settle();
  }

  Task<void> ask_and_drop(std::shared_ptr<int> /*held*/) {
    co_await workers().request("agent", "schemas", "{}", SteadyTime::max());
  }

  std::optional<Result<std::string>> answer_;

 private:
  Task<void> ask_now(std::string graph, SteadyTime deadline) {
    answer_ = co_await workers().request(std::move(graph), "schemas", R"({"a":1})", deadline);
  }
};

TEST_F(WorkersTest, AQuestionIsAnsweredByTheWorker) {
  TestWorker worker(server_);
  ask("agent");
  ASSERT_THAT(worker.got<WorkerRequest>(), SizeIs(1));
  EXPECT_EQ(worker.got<WorkerRequest>()[0].method, "schemas");
  EXPECT_EQ(worker.got<WorkerRequest>()[0].params, R"({"a":1})");
  EXPECT_FALSE(answer_);
  reply(worker, std::string("[1]"));
  EXPECT_EQ(**answer_, "[1]");
}

TEST_F(WorkersTest, AWorkersRefusalIsTheAnswer) {
  TestWorker worker(server_);
  ask("agent");
  reply(worker, fail(Errc::invalid_argument, "no such node"));
  EXPECT_EQ(answer_->error().code, Errc::invalid_argument);
}

TEST_F(WorkersTest, AQuestionWaitsForAWorker) {
  ask("agent");
  server_.pass(seconds(29));
  EXPECT_FALSE(answer_);
  TestWorker worker(server_);
  reply(worker, std::string("1"));
  EXPECT_TRUE(*answer_);
}

TEST_F(WorkersTest, WithoutAWorkerTheQuestionFailsInTime) {
  ask("agent", seconds(30));
  server_.pass(seconds(30));
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->error().code, Errc::unavailable);
  EXPECT_THAT(answer_->error().message, HasSubstr("agent"));
}

TEST_F(WorkersTest, ASilentWorkerIsATimeout) {
  TestWorker worker(server_, {.name = "w-1"});
  ask("agent", seconds(30));
  server_.pass(seconds(30));
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->error().code, Errc::timeout);
  EXPECT_THAT(answer_->error().message, HasSubstr("w-1"));
  reply(worker, std::string("too late"));
}

TEST_F(WorkersTest, AQuestionThatLostItsWorkerIsAskedAgain) {
  auto first = std::make_unique<TestWorker>(server_);
  ask("agent");
  first->die();
  EXPECT_FALSE(answer_);
  TestWorker second(server_);
  reply(second, std::string("2"));
  EXPECT_EQ(**answer_, "2");
}

TEST_F(WorkersTest, WhoeverWaitsForAnAnswerGoesWithTheServer) {
  TestWorker worker(server_);
  const auto held = std::make_shared<int>();
  spawn(server_.world.timers.executor(), "ask", ask_and_drop(held));
  server_.settle();
  ASSERT_THAT(worker.got<WorkerRequest>(), SizeIs(1));
  EXPECT_EQ(held.use_count(), 2);
  server_.kill();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(WorkersTest, UnknownAndBrokenGraphsAreRefusedAtOnce) {
  ask("nobody");
  EXPECT_EQ(answer_->error().code, Errc::not_found);
  TestWorker broken(server_, {.graphs = {{"agent", "", R"({"error":"E","message":"m"})"}}});
  ask("agent");
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->error().code, Errc::unavailable);
  EXPECT_THAT(answer_->error().message, HasSubstr("imported: E: m"));
  EXPECT_TRUE(answer_->error().fields.empty());
}

TEST_F(WorkersTest, AGraphThatCannotBeImportedSaysWhere) {
  TestWorker broken(server_, {.graphs = {{"agent", "",
                                          R"({"error":"E","message":"m","file":"other.py",)"
                                          R"("line":7,"traceback":"File other.py, line 7"})"}}});
  ask("agent");
  const auto run = server_.wait(server_.app().runs.create(the_server, TestServer::order()));
  for (const auto& error : {answer_->error(), run.error()}) {
    EXPECT_EQ(error.code, Errc::unavailable);
    EXPECT_THAT(error.message, HasSubstr("imported: other.py:7: E: m"));
    ASSERT_THAT(error.fields, SizeIs(1));
    EXPECT_EQ(error.fields[0].place, "other.py:7");
    EXPECT_EQ(error.fields[0].message, "File other.py, line 7");
  }
}

TEST_F(WorkersTest, GraphsAreKnownWithAndWithoutTheirWorkers) {
  EXPECT_EQ(workers().graph_names(), "agent, planner");
  EXPECT_FALSE(workers().graph("agent")->served);
  {
    TestWorker worker(server_, {.graphs = {{"agent", "", "null"}, {"third", "new", "null"}}});
    EXPECT_TRUE(workers().graph("agent")->served);
    worker.die();
  }
  EXPECT_FALSE(workers().graph("agent")->served);
  EXPECT_EQ(workers().graph("third")->description, "new");
  EXPECT_FALSE(workers().graph("fourth"));
  server_.kill();
  server_.start();
  EXPECT_EQ(workers().graph_names(), "agent, planner, third");
}

TEST_F(WorkersTest, AGraphThatIsNamedNoMoreExistsAsLongAsAWorkerServesIt) {
  TestWorker(server_, {.graphs = {{"third", "", "null"}}}).die();
  TestWorker worker(server_, {.graphs = {{"planner", "", "null"}}});
  workers().name_graphs({"agent"});
  EXPECT_EQ(workers().graph_names(), "agent, planner, third");
  auto order = TestServer::order();
  order.assistant = "planner";
  const auto run = server_.create(order);
  EXPECT_EQ(worker.leased().id, run.id);
  workers().set_slots(worker.session(), 4, true);
  EXPECT_EQ(workers().graph_names(), "agent, third") << "no new runs come to who drains";
  EXPECT_EQ(workers().graphs().size(), 2U);
  const auto refused = server_.wait(server_.app().runs.create(the_server, order));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::not_found);
  EXPECT_THAT(refused.error().message, HasSubstr("Graphs here: agent, third."));
  workers().name_graphs({"agent", "planner"});
  EXPECT_EQ(server_.create(order).graph_id, "planner");
  worker.die();

  server_.kill();
  server_.start();
  workers().name_graphs({"agent"});
  EXPECT_EQ(workers().graph_names(), "agent, third");
  EXPECT_TRUE(server_.wait(server_.app().assistants.remove(the_server, "planner", false)));
}

TEST_F(WorkersTest, WhoeverWaitsForAGraphIsToldThatItIsGone) {
  ask("planner");
  EXPECT_FALSE(answer_);
  workers().name_graphs({"agent"});
  server_.settle();
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->error().code, Errc::not_found);
  EXPECT_THAT(answer_->error().message, HasSubstr("graphs here: agent"));
}

TEST_F(WorkersTest, OneGoodWorkerHidesABrokenOne) {
  TestWorker broken(server_, {.graphs = {{"agent", "", R"({"error":"E","message":"m"})"}}});
  EXPECT_EQ(workers().graph("agent")->error, R"({"error":"E","message":"m"})");
  TestWorker good(server_);
  EXPECT_EQ(workers().graph("agent")->error, "null");
}

TEST_F(WorkersTest, SlotsThatAreRaisedAreUsedAtOnce) {
  TestWorker worker(server_, {.slots = 0});
  const auto run = server_.create();
  EXPECT_TRUE(worker.idle());
  workers().set_slots(worker.session(), 1, false);
  server_.settle();
  EXPECT_EQ(worker.leased().id, run.id);
}

// What a worker says of its slots is a number that may be anything.
TEST_F(WorkersTest, AbsurdSlotCountsDoNoHarm) {
  TestWorker one(server_, {.slots = INT64_MAX});
  TestWorker two(server_, {.slots = INT64_MAX});
  EXPECT_GT(workers().free_slots(), 0);
  EXPECT_EQ(server_.create().state, State::in_progress);
  for (const auto* worker : {&one, &two}) workers().set_slots(worker->session(), INT64_MIN, false);
  EXPECT_EQ(workers().free_slots(), 0);
  EXPECT_EQ(server_.create().state, State::queued);
}

TEST_F(WorkersTest, SessionsOfTheStoreAreTakenOverAfterARestart) {
  TestWorker worker(server_, {.name = "w-1", .slots = 3});
  server_.kill();
  server_.start();
  const auto session = workers().session(worker.session());
  ASSERT_TRUE(session);
  EXPECT_EQ(session->name, "w-1");
  EXPECT_EQ(session->free_slots(), 0) << "it is not connected";
  server_.pass(seconds(2));
  EXPECT_FALSE(workers().session(worker.session()));
  EXPECT_TRUE(server_.get(server_.store().sessions()).empty());
}

}  // namespace
}  // namespace dg::app::testing
