#include <gmock/gmock.h>

#include "app/app_testing.hpp"
#include "app/assistants.hpp"
#include "base/json.hpp"

namespace dg::app::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RunLifecycle : public AppTest {
 protected:
  std::string join(const domain::Run& run) {
    return server_.get(server_.app().runs.join(run.id, server_.world.timers.now() + std::chrono::seconds(1)));
  }
  Errc refused(RunOrder order) {
    const auto run = server_.wait(server_.app().runs.create(the_server, std::move(order)));
    return run ? Errc::internal : run.error().code;
  }
};

TEST_F(RunLifecycle, AFreeSlotGetsTheRunWithItsCreation) {
  TestWorker worker(server_);
  auto order = TestServer::order(server_.make_thread());
  order.request.input = R"({"messages":["hi"]})";
  const auto run = server_.create(order);
  EXPECT_EQ(run.state, State::in_progress);
  EXPECT_EQ(run.session_id, worker.session());
  EXPECT_EQ(run.revision, "git:1");
  EXPECT_EQ(run.epoch, 1);
  EXPECT_EQ(run.attempt, 1);
  EXPECT_EQ(worker.leased().id, run.id);
  EXPECT_EQ(worker.leased().request.input, R"({"messages":["hi"]})");
  EXPECT_EQ(server_.status(run.thread_id), domain::ThreadStatus::busy);
  EXPECT_THAT(server_.events(run), ElementsAre("RunCreated", "RunStarted"));
  EXPECT_THAT(server_.frames(run), ElementsAre("metadata {\"run_id\":\"" + run.id + "\",\"attempt\":1}"));
}

TEST_F(RunLifecycle, WithoutAWorkerTheRunWaitsForOne) {
  const auto run = server_.create();
  EXPECT_EQ(run.state, State::queued);
  EXPECT_EQ(server_.status(run.thread_id), domain::ThreadStatus::busy);
  TestWorker worker(server_);
  EXPECT_EQ(worker.leased().id, run.id);
  EXPECT_EQ(server_.now(run).state, State::in_progress);
}

TEST_F(RunLifecycle, ACompletionEndsTheRunAndFreesTheThread) {
  TestWorker worker(server_);
  const auto run = server_.create();
  worker.say(run, 1, values(R"({"answer":1})"));
  worker.say(run, 2, values(R"({"answer":42})"));
  worker.complete(run, 3);
  EXPECT_EQ(server_.now(run).state, State::completed);
  EXPECT_EQ(server_.status(run.thread_id), domain::ThreadStatus::idle);
  EXPECT_EQ(worker.got<Ack>().back().n, 3);
  EXPECT_EQ(join(run), R"({"answer":42})");
  EXPECT_FALSE(server_.get(server_.store().lease(run.id)));
}

TEST_F(RunLifecycle, AnErrorIsTheLastFrameAndTheResult) {
  TestWorker worker(server_);
  const auto run = server_.create();
  worker.complete(run, 1, Outcome::error);
  const auto ended = server_.now(run);
  EXPECT_EQ(ended.state, State::failed);
  EXPECT_EQ(ended.error->error, "ValueError");
  EXPECT_EQ(server_.frames(run).back(), R"(error {"error":"ValueError","message":"no"})");
  EXPECT_EQ(join(run), R"({"__error__":{"error":"ValueError","message":"no"}})");
  EXPECT_EQ(server_.status(run.thread_id), domain::ThreadStatus::error);
}

TEST_F(RunLifecycle, APausedRunTellsWhatItAsksAndFreesTheThread) {
  TestWorker worker(server_);
  const auto run = server_.create(server_.make_thread());
  worker.say(run, 1, values(R"({"draft":"x"})"));
  worker.say(
      run, 2,
      checkpoint("1", R"({"draft":"x"})",
                 R"([{"id":"t","name":"ask","interrupts":[{"value":"ok?","id":"i"}]}])", R"(["ask"])"));
  worker.say(run, 3, values(R"({"__interrupt__":[{"value":"ok?","id":"i"}]})"));
  worker.complete(run, 4, Outcome::interrupted);
  EXPECT_EQ(server_.now(run).state, State::requires_action);
  EXPECT_EQ(server_.status(run.thread_id), domain::ThreadStatus::interrupted);
  const auto result = join(run);
  EXPECT_EQ(json::View(result)["__interrupt__"].raw(), R"([{"value":"ok?","id":"i"}])");

  // The next run goes on where this one paused, which ends it.
  const auto next = server_.create(run.thread_id);
  EXPECT_EQ(next.state, State::in_progress);
  EXPECT_EQ(server_.now(run).state, State::completed);
  EXPECT_EQ(server_.now(run).resumed_by, next.id);
}

TEST_F(RunLifecycle, RunsOfAThreadComeOneAfterTheOther) {
  TestWorker worker(server_, {.slots = 5});
  const auto thread = server_.make_thread();
  const auto first = server_.create(thread);
  const auto second = server_.create(thread);
  const auto third = server_.create(thread);
  server_.settle();
  EXPECT_EQ(worker.got<LeaseOffer>().size(), 1u);
  worker.complete(first, 1);
  EXPECT_EQ(worker.leased().id, second.id);
  worker.complete(worker.leased(), 1);
  EXPECT_EQ(worker.leased().id, third.id);
}

TEST_F(RunLifecycle, ASlotThatBecomesFreeTakesTheOldestRun) {
  TestWorker worker(server_);
  const auto running = server_.create();
  const auto older = server_.create();
  const auto newer = server_.create();
  EXPECT_EQ(older.state, State::queued);
  worker.complete(running, 1);
  EXPECT_EQ(worker.leased().id, older.id);
  EXPECT_EQ(server_.now(newer).state, State::queued);
}

TEST_F(RunLifecycle, TheLeastBusyWorkerThatServesTheGraphGetsIt) {
  TestWorker small(server_, {.name = "small", .slots = 1});
  TestWorker large(server_, {.name = "large", .slots = 3});
  TestWorker other(server_, {.name = "other", .slots = 9, .graphs = {{"planner", "", "null"}}});
  TestWorker broken(server_, {.name = "broken", .slots = 9, .graphs = {{"agent", "", R"({"error":"E"})"}}});
  EXPECT_EQ(server_.create().session_id, large.session());
  EXPECT_EQ(server_.create().session_id, large.session());
  server_.create();
  server_.create();
  EXPECT_FALSE(small.idle());
  EXPECT_TRUE(other.idle());
  EXPECT_TRUE(broken.idle());
  EXPECT_EQ(server_.create().state, State::queued);
}

TEST_F(RunLifecycle, ADrainingWorkerTakesNothingNew) {
  TestWorker worker(server_, {.slots = 2});
  const auto run = server_.create();
  server_.app().workers.set_slots(worker.session(), 2, true);
  const auto later = server_.create();
  EXPECT_EQ(later.state, State::queued);
  worker.complete(run, 1);
  EXPECT_EQ(server_.now(run).state, State::completed);
  EXPECT_EQ(server_.now(later).state, State::queued);
}

TEST_F(RunLifecycle, WhatDoesNotExistIsNamed) {
  auto nobody = TestServer::order();
  nobody.assistant = "nobody";
  const auto unknown = server_.wait(server_.app().runs.create(the_server, nobody));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::not_found);
  EXPECT_THAT(unknown.error().message, HasSubstr("agent, planner"));

  auto order = TestServer::order("018f0000-0000-7000-8000-000000000000");
  EXPECT_EQ(refused(order), Errc::not_found);
  order.create_thread = true;
  EXPECT_EQ(server_.create(order).thread_id, "018f0000-0000-7000-8000-000000000000");

  auto fork = TestServer::order(server_.make_thread());
  fork.checkpoint = R"({"checkpoint_id":"none"})";
  EXPECT_EQ(refused(fork), Errc::not_found);
}

TEST_F(RunLifecycle, AGraphThatCannotBeImportedIsUnavailable) {
  const std::string error = R"({"error":"ImportError","message":"no module"})";
  TestWorker broken(server_, {.graphs = {{"agent", "", error}}});
  const auto run = server_.wait(server_.app().runs.create(the_server, TestServer::order()));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, Errc::unavailable);
  EXPECT_THAT(run.error().message, HasSubstr("ImportError: no module"));
  TestWorker good(server_);
  EXPECT_EQ(server_.create().session_id, good.session());
}

TEST_F(RunLifecycle, TheThreadLearnsWhatRanOnIt) {
  const auto run = server_.create(server_.make_thread());
  const auto row = server_.get(server_.app().threads.get(the_server, run.thread_id));
  const json::View metadata(row.thread.metadata);
  EXPECT_EQ(metadata["graph_id"].string(), "agent");
  EXPECT_EQ(metadata["assistant_id"].string(), default_assistant_id("agent"));
}

TEST_F(RunLifecycle, OnlyARunThatIsNotActiveCanBeDeleted) {
  TestWorker worker(server_);
  const auto run = server_.create();
  EXPECT_EQ(server_.wait(server_.app().runs.remove(the_server, run.id)).error().code, Errc::busy);
  worker.complete(run, 1);
  EXPECT_TRUE(server_.wait(server_.app().runs.remove(the_server, run.id)));
  EXPECT_FALSE(server_.exists(run));
  EXPECT_TRUE(server_.frames(run).empty());
  EXPECT_EQ(server_.events(run).back(), "RunDeleted") << "the tombstone stays";
}

// What is executed goes on from the checkpoints of the runs before it.
TEST_F(RunLifecycle, ARunOfAThreadThatExecutesAnotherIsDeletedLater) {
  TestWorker worker(server_);
  const auto first = server_.create(server_.make_thread());
  worker.say(first, 1, checkpoint("1", "{}"));
  worker.complete(first, 2);
  const auto second = server_.create(first.thread_id);
  const auto refused = server_.wait(server_.app().runs.remove(the_server, first.id));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::busy);
  EXPECT_THAT(refused.error().message, HasSubstr(second.id));
  worker.complete(second, 1);
  EXPECT_TRUE(server_.wait(server_.app().runs.remove(the_server, first.id)));
  EXPECT_FALSE(server_.get(server_.store().state(first.thread_id, "", "1")));
}

TEST_F(RunLifecycle, ARunIsFoundOnItsOwnThreadOnly) {
  const auto run = server_.create();
  const auto elsewhere = server_.wait(server_.app().runs.get(the_server, run.id, server_.make_thread()));
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().code, Errc::not_found);
}

}  // namespace
}  // namespace dg::app::testing
