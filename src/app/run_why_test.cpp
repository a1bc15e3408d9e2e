#include <gmock/gmock.h>

#include "app/app_testing.hpp"
#include "base/json.hpp"

namespace dg::app::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

class WhyTest : public AppTest {
 protected:
  Why why(const domain::Run& run) { return server_.get(server_.app().runs.why(the_server, run.id)); }
  static std::string detail(const Why& why, std::string_view name) {
    return json::View(why.details)[name].string();
  }
};

TEST_F(WhyTest, NoWorkerServesTheGraph) {
  TestWorker other(server_, {.graphs = {{"planner", "", "null"}}});
  const auto answer = why(server_.create());
  EXPECT_EQ(answer.code, "no_worker");
  EXPECT_EQ(detail(answer, "graph_id"), "agent");
  EXPECT_THAT(answer.message, HasSubstr("\"agent\""));
}

TEST_F(WhyTest, AWorkerThatIsNotConnectedDoesNotServe) {
  TestWorker worker(server_);
  const auto running = server_.create();
  const auto waiting = server_.create();
  worker.disconnect();
  EXPECT_EQ(why(waiting).code, "no_worker");
  EXPECT_EQ(why(running).code, "running");
}

TEST_F(WhyTest, TheGraphCannotBeImported) {
  const auto run = server_.create();
  TestWorker broken(server_, {.graphs = {{"agent", "", R"({"error":"SyntaxError","message":"line 3"})"}}});
  const auto answer = why(run);
  EXPECT_EQ(answer.code, "graph_broken");
  EXPECT_THAT(answer.message, HasSubstr("SyntaxError: line 3"));
}

TEST_F(WhyTest, EverySlotIsBusy) {
  TestWorker worker(server_);
  server_.create();
  EXPECT_EQ(why(server_.create()).code, "slots_busy");
}

TEST_F(WhyTest, AnotherRunHasTheThread) {
  TestWorker worker(server_, {.slots = 3});
  const auto thread = server_.make_thread();
  const auto running = server_.create(thread);
  const auto answer = why(server_.create(thread));
  EXPECT_EQ(answer.code, "thread_busy");
  EXPECT_EQ(detail(answer, "run_id"), running.id);
}

TEST_F(WhyTest, AnOlderQueuedRunComesFirst) {
  const auto thread = server_.make_thread();
  const auto older = server_.create(thread);
  const auto newer = server_.create(thread);
  EXPECT_EQ(why(older).code, "no_worker");
  EXPECT_EQ(why(newer).code, "thread_busy");
  EXPECT_EQ(detail(why(newer), "run_id"), older.id);
}

TEST_F(WhyTest, AnOperationHasTheThread) {
  TestWorker worker(server_, {.slots = 3});
  const auto thread = server_.make_thread();
  const auto operation = server_.get(server_.app().threads.begin(thread, worker.session()));
  const auto answer = why(server_.create(thread));
  EXPECT_EQ(answer.code, "thread_busy");
  EXPECT_EQ(detail(answer, "run_id"), operation.owner);
}

TEST_F(WhyTest, ItIsDelayed) {
  TestWorker worker(server_);
  auto order = TestServer::order();
  order.after = seconds(60);
  const auto run = server_.create(order);
  const auto answer = why(run);
  EXPECT_EQ(answer.code, "delay");
  EXPECT_EQ(detail(answer, "until"), to_rfc3339(run.not_before));
}

TEST_F(WhyTest, ItBacksOffAfterALoss) {
  const auto run = server_.create();
  for (int i = 0; i < 2; ++i) TestWorker(server_).die();
  EXPECT_EQ(why(run).code, "retry_backoff");
  server_.pass(seconds(1));
  EXPECT_EQ(why(run).code, "no_worker");
}

TEST_F(WhyTest, ItRunsItAsksItIsOver) {
  TestWorker worker(server_, {.name = "w-1"});
  const auto run = server_.create();
  EXPECT_EQ(why(run).code, "running");
  EXPECT_THAT(why(run).message, HasSubstr("w-1"));
  EXPECT_EQ(detail(why(run), "session_id"), worker.session());
  worker.complete(run, 1, Outcome::interrupted);
  EXPECT_EQ(why(run).code, "person");

  const auto second = server_.create();
  worker.complete(second, 1);
  EXPECT_EQ(why(second).code, "finished");
  EXPECT_THAT(why(second).message, HasSubstr("completed"));
  const auto unknown = server_.wait(server_.app().runs.why(the_server, make_uuid7(server_.world.env)));
  EXPECT_EQ(unknown.error().code, Errc::not_found);
}

TEST_F(WhyTest, AQuestionIsToldFromABreakpoint) {
  TestWorker worker(server_, {.slots = 2});
  const auto asking = server_.create();
  const std::string tasks =
      R"([{"id":"1","name":"a","result":{"x":1},"interrupts":[{"id":"i","value":"answered"}]},)"
      R"({"id":"2","name":"b","interrupts":[{"id":"j","value":"open?"}]}])";
  worker.say(asking, 1, checkpoint("0001", "{}", tasks, R"(["b"])"));
  worker.complete(asking, 2, Outcome::interrupted);
  const auto asked = why(asking);
  EXPECT_EQ(asked.code, "person");
  EXPECT_THAT(asked.message, HasSubstr("resume it with a value"));
  EXPECT_EQ(json::View(asked.details)["interrupts"].raw(), R"([{"id":"j","value":"open?"}])");

  const auto stopped = server_.create();
  const std::string next = R"([{"id":"3","name":"c","interrupts":[]},{"id":"4","name":"d","interrupts":[]}])";
  worker.say(stopped, 1, checkpoint("0001", "{}", next, R"(["c","d"])"));
  worker.complete(stopped, 2, Outcome::interrupted);
  const auto at_breakpoint = why(stopped);
  EXPECT_EQ(at_breakpoint.code, "person");
  EXPECT_THAT(at_breakpoint.message, HasSubstr("stopped at a breakpoint before c, d"));
  EXPECT_THAT(at_breakpoint.message, Not(HasSubstr("value")));
  EXPECT_EQ(json::View(at_breakpoint.details)["interrupts"].raw(), "[]");
  EXPECT_EQ(json::View(at_breakpoint.details)["next"].raw(), R"(["c","d"])");
}

}  // namespace
}  // namespace dg::app::testing
