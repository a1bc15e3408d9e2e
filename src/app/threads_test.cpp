#include "app/threads.hpp"

#include <gmock/gmock.h>

#include "app/app_testing.hpp"
#include "base/json.hpp"

namespace dg::app::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class ThreadsTest : public AppTest {
 protected:
  Threads& threads() { return server_.app().threads; }

  // Updates the state in the background.
  void update(std::string thread_id, StateUpdate update = {}) {
    spawn(server_.world.timers.executor(), "update",
          [](ThreadsTest& test, std::string id, StateUpdate wanted) -> Task<void> {
            test.updated_ =
                co_await test.threads().update_state(the_server, std::move(id), std::move(wanted));
          }(*this, std::move(thread_id), std::move(update)));
    server_.settle();
  }

  std::optional<Result<std::string>> updated_;
};

TEST_F(ThreadsTest, AnIdIsTakenUntilItsThreadIsDeleted) {
  const std::string id = make_uuid7(server_.world.env);
  EXPECT_EQ(server_.get(threads().create(the_server, id, R"({"a":1})", false)).thread.metadata, R"({"a":1})");
  EXPECT_EQ(server_.wait(threads().create(the_server, id, "{}", false)).error().code, Errc::conflict);
  EXPECT_EQ(server_.get(threads().create(the_server, id, "{}", true)).thread.metadata, R"({"a":1})");
  EXPECT_TRUE(server_.wait(threads().remove(the_server, id)));
  EXPECT_EQ(server_.wait(threads().get(the_server, id)).error().code, Errc::not_found);
  EXPECT_EQ(server_.wait(threads().remove(the_server, id)).error().code, Errc::not_found);
  EXPECT_EQ(server_.get(threads().create(the_server, id, R"({"a":2})", false)).thread.metadata, R"({"a":2})");
}

TEST_F(ThreadsTest, ADeletedIdMayBeARunsNewThread) {
  TestWorker worker(server_);
  const std::string id = make_uuid7(server_.world.env);
  for (int life = 0; life < 3; ++life) {
    auto order = server_.order(id);
    order.create_thread = true;
    const auto run = server_.create(std::move(order));
    worker.complete(run, 1);
    EXPECT_EQ(server_.now(run).state, domain::RunState::completed);
    EXPECT_TRUE(server_.wait(threads().remove(the_server, id)));
  }
}

TEST_F(ThreadsTest, APatchMergesMetadata) {
  const auto id =
      server_.get(threads().create(the_server, std::nullopt, R"({"a":1,"b":1})", false)).thread.id;
  const auto row = server_.get(threads().patch(the_server, id, R"({"b":2,"c":3})"));
  EXPECT_TRUE(json::equal(json::View(row.thread.metadata), json::View(R"({"a":1,"b":2,"c":3})")));
}

TEST_F(ThreadsTest, DeletingTakesTheRunsAlong) {
  TestWorker worker(server_);
  const auto thread = server_.make_thread();
  const auto running = server_.create(thread);
  const auto queued = server_.create(thread);
  const auto elsewhere = server_.create();
  EXPECT_TRUE(server_.wait(threads().remove(the_server, thread)));
  server_.settle();
  EXPECT_FALSE(server_.exists(running));
  EXPECT_FALSE(server_.exists(queued));
  EXPECT_EQ(worker.got<Superseded>().at(0).owner, running.id);
  EXPECT_EQ(worker.leased().id, elsewhere.id) << "the slot is free again";
}

TEST_F(ThreadsTest, ACopyHasTheStateAndItsOwnLife) {
  TestWorker worker(server_);
  const auto run = server_.create(server_.make_thread());
  worker.say(run, 1, checkpoint("1", R"({"a":1})"));
  worker.complete(run, 2);
  const auto copy = server_.get(threads().copy(the_server, run.thread_id)).thread.id;
  EXPECT_NE(copy, run.thread_id);
  EXPECT_TRUE(server_.wait(threads().remove(the_server, run.thread_id)));
  const auto state = server_.get(threads().state(the_server, {copy, "", ""}));
  ASSERT_TRUE(state);
  EXPECT_EQ(json::View(state->projection)["values"].raw(), R"({"a":1})");
}

TEST_F(ThreadsTest, AStateThatDoesNotExistIsNotFoundOrNone) {
  const auto thread = server_.make_thread();
  EXPECT_FALSE(server_.get(threads().state(the_server, {thread, "", ""})));
  EXPECT_EQ(server_.wait(threads().state(the_server, {thread, "", "c"})).error().code, Errc::not_found);
  EXPECT_EQ(server_.wait(threads().state(the_server, {make_uuid7(server_.world.env), "", ""})).error().code,
            Errc::not_found);
}

TEST_F(ThreadsTest, AnUpdateIsDoneByAWorkerUnderALease) {
  TestWorker worker(server_);
  const auto run = server_.create(server_.make_thread());
  worker.complete(run, 1);
  StateUpdate wanted;
  wanted.values = R"({"a":2})";
  wanted.as_node = "ask";
  update(run.thread_id, wanted);
  ASSERT_EQ(worker.got<WorkerRequest>().size(), 1u);
  const auto request = worker.got<WorkerRequest>()[0];
  EXPECT_EQ(request.method, "update_state");
  const json::View params(request.params);
  EXPECT_EQ(params["values"].raw(), R"({"a":2})");
  EXPECT_EQ(params["as_node"].string(), "ask");
  EXPECT_EQ(params["config"]["configurable"]["thread_id"].string(), run.thread_id);

  // While it lasts the thread is busy, and a run waits.
  EXPECT_EQ(server_.status(run.thread_id), domain::ThreadStatus::busy);
  const auto waiting = server_.create(run.thread_id);
  EXPECT_EQ(waiting.state, State::queued);
  EXPECT_EQ(server_.wait(threads().begin(run.thread_id, worker.session())).error().code, Errc::busy);

  server_.app().workers.replied(request.id, std::string(R"({"checkpoint":{"checkpoint_id":"7"}})"));
  server_.settle();
  ASSERT_TRUE(updated_);
  EXPECT_EQ(json::View(**updated_)["checkpoint"]["checkpoint_id"].string(), "7");
  EXPECT_EQ(worker.leased().id, waiting.id);
}

TEST_F(ThreadsTest, AnUpdateWhoseWorkerDiesBeforeItIsDoneByAnother) {
  TestWorker first(server_);
  const auto run = server_.create(server_.make_thread());
  first.say(run, 1, checkpoint("1", R"({"a":1})"));
  first.complete(run, 2);
  StateUpdate wanted;
  wanted.values = R"({"a":2})";
  update(run.thread_id, wanted);
  ASSERT_EQ(first.got<WorkerRequest>().size(), 1u);
  first.die();
  EXPECT_FALSE(updated_) << "it waits for a worker";

  TestWorker second(server_);
  const auto requests = second.got<WorkerRequest>();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(json::View(requests[0].params)["values"].raw(), R"({"a":2})");
  EXPECT_NE(json::View(requests[0].params)["operation"].string(),
            json::View(first.got<WorkerRequest>()[0].params)["operation"].string());
  server_.app().workers.replied(requests[0].id, std::string(R"({"checkpoint":{"checkpoint_id":"2"}})"));
  server_.settle();
  ASSERT_TRUE(updated_);
  EXPECT_TRUE(*updated_);
}

TEST_F(ThreadsTest, AnUpdateThatMayHaveHappenedIsNotDoneAgain) {
  TestWorker first(server_);
  TestWorker second(server_);
  const auto thread = server_.make_thread();
  const auto run = server_.create(thread);
  auto& owner = first.idle() ? second : first;
  owner.say(run, 1, checkpoint("1", R"({"a":1})"));
  owner.complete(run, 2);
  update(thread);
  auto& asked = first.got<WorkerRequest>().empty() ? second : first;
  auto& other = &asked == &first ? second : first;
  const auto requests = asked.got<WorkerRequest>();
  ASSERT_EQ(requests.size(), 1u);
  domain::Run operation;
  operation.id = json::View(requests[0].params)["operation"].string();
  operation.epoch = json::View(requests[0].params)["epoch"].integer().value_or(0);
  asked.say(operation, 1, checkpoint("2", R"({"a":2})"));
  asked.die();
  ASSERT_TRUE(updated_);
  ASSERT_FALSE(*updated_);
  EXPECT_EQ(updated_->error().code, Errc::timeout);
  EXPECT_TRUE(other.got<WorkerRequest>().empty());
}

TEST_F(ThreadsTest, AnUpdateIsRefusedWhileARunIsActive) {
  TestWorker worker(server_);
  const auto run = server_.create(server_.make_thread());
  update(run.thread_id);
  ASSERT_TRUE(updated_);
  EXPECT_EQ(updated_->error().code, Errc::busy);
}

TEST_F(ThreadsTest, AnUpdateNeedsAGraph) {
  update(server_.make_thread());
  ASSERT_TRUE(updated_);
  EXPECT_THAT(updated_->error().message, HasSubstr("no graph"));
}

TEST_F(ThreadsTest, AnOperationThatNobodyEndsIsOverAfterItsTime) {
  TestWorker worker(server_);
  const auto thread = server_.make_thread();
  server_.get(threads().begin(thread, worker.session()));
  server_.pass(seconds(29));
  EXPECT_EQ(server_.status(thread), domain::ThreadStatus::busy);
  const auto waiting = server_.create(thread);
  server_.pass(seconds(1));
  EXPECT_EQ(worker.leased().id, waiting.id);
}

TEST_F(ThreadsTest, AnOperationIsOverWithItsWorker) {
  TestWorker worker(server_);
  const auto thread = server_.make_thread();
  server_.get(threads().begin(thread, worker.session()));
  worker.die();
  EXPECT_EQ(server_.status(thread), domain::ThreadStatus::idle);
}

TEST_F(ThreadsTest, AnOperationIsOverAfterItsTimeAlsoWhenTheServerStartedAnew) {
  TestWorker worker(server_);
  const auto thread = server_.make_thread();
  server_.get(threads().begin(thread, worker.session()));
  server_.kill();
  server_.start();
  ASSERT_TRUE(worker.connect());
  server_.pass(seconds(30));
  EXPECT_EQ(server_.status(thread), domain::ThreadStatus::idle);
}

}  // namespace
}  // namespace dg::app::testing
