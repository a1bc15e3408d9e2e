// Several instances over one database on PostgreSQL: what happens on one is seen, and answered, on another.
#include <fmt/format.h>

#include "app/app_testing.hpp"
#include "app/changes.hpp"
#include "app/waiting_store.hpp"
#include "bus/testing/hub.hpp"
#include "store/postgres/instance_locks.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/postgres/testing/database.hpp"

namespace dg::app::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The instances "a", which leads, and "b". One that is to be dead says nothing more and has no lock; what it
// still believes and does goes on, as in a process that was stopped and wakes up.
class InstancesTest : public ::testing::Test {
 protected:
  InstancesTest() {
    for (auto* part : {&a_, &b_}) open(*part, part == &a_ ? "a" : "b");
    a_.server->app().leadership.set(true);
    pass(seconds(1));
  }
  ~InstancesTest() override {
    world_->timers.run_for(std::chrono::minutes(1));
    TestServer* const all[] = {a_.server.get(), b_.server.get()};
    TestServer::kill_all(all);
  }

  struct Part {
    std::unique_ptr<store::postgres::testing::Session> lock;
    std::unique_ptr<TestServer> server;
  };

  void open(Part& part, const std::string& id) {
    part.lock = std::make_unique<store::postgres::testing::Session>(database_.conninfo());
    part.lock->run("SELECT pg_advisory_lock(" + store::postgres::instance_lock("'" + id + "'") + ")");
    const auto open_store = [this](const Env& env) {
      return std::make_unique<WaitingStore>(env, [this](const Env& inner) {
        return store::make_postgres_store(inner, {.connect = database_.options(), .readers = 1});
      });
    };
    part.server =
        std::make_unique<TestServer>(world_, Settings{}, open_store, id, [this] { return hub_.join(); });
  }

  TestServer& a() { return *a_.server; }
  TestServer& b() { return *b_.server; }
  void pass(Duration time) { world_->timers.run_for(time); }
  // The process of "a" is gone: its locks with it, and "b" leads.
  void lose_a() {
    a_.lock.reset();
    // The server takes a moment to end a session, and time here does not wait for it.
    store::postgres::testing::Session other(database_.conninfo());
    other.run("SELECT pg_advisory_xact_lock(" + store::postgres::instance_lock("'a'") + ")");
    a().app().leadership.set(false);
    b().app().leadership.set(true);
  }

  store::postgres::testing::TestDatabase database_;
  std::shared_ptr<VirtualWorld> world_ = std::make_shared<VirtualWorld>();
  bus::testing::Hub hub_{world_->timers.executor()};
  Part a_, b_;
};

using State = domain::RunState;

TEST_F(InstancesTest, ARunIsExecutedWhereItsWorkerIs) {
  TestWorker worker(a());
  const auto run = b().create();
  pass(milliseconds(1));
  ASSERT_EQ(worker.leased().id, run.id);
  worker.say(worker.leased(), 1, values(R"({"x":1})"));
  worker.complete(worker.leased(), 2);
  EXPECT_EQ(b().now(run).state, State::completed);
}

TEST_F(InstancesTest, AStreamIsReadOnOneInstanceWhileTheWorkerIsAtAnother) {
  TestWorker worker(a());
  const auto run = b().create();
  pass(milliseconds(1));
  Streams::Reader reader(b().app().streams, run.id, 0);
  const auto next = [&] { return b().get(reader.next(world_->timers.now() + seconds(1))); };
  EXPECT_EQ(next().frames.at(0).frame.event, "metadata");
  for (int n = 1; n <= 3; ++n) {
    const auto before = world_->timers.now();
    worker.post(worker.leased(), n, values(std::to_string(n)));
    const auto page = next();
    ASSERT_THAT(page.frames, SizeIs(1));
    EXPECT_EQ(page.frames[0].number, n);
    EXPECT_EQ(page.frames[0].frame.data, std::to_string(n));
    EXPECT_EQ(world_->timers.now(), before);
  }
  worker.complete(worker.leased(), 4);
  EXPECT_TRUE(next().ended);
}

TEST_F(InstancesTest, ACancelReachesTheWorkerAtAnotherInstance) {
  TestWorker worker(a());
  const auto run = b().create();
  pass(milliseconds(1));
  ASSERT_TRUE(b().wait(b().app().runs.cancel(the_server, run.id, domain::CancelAction::interrupt)));
  pass(milliseconds(1));
  EXPECT_THAT(worker.got<CancelOrder>(), SizeIs(1));
  pass(seconds(6));
  EXPECT_EQ(b().now(run).state, State::cancelled);
  EXPECT_THAT(worker.got<Superseded>(), SizeIs(1));
  EXPECT_EQ(a().app().workers.free_slots(), 1);
}

TEST_F(InstancesTest, ACancelIsEnforcedWhenTheInstanceThatTookItIsGone) {
  TestWorker worker(b());
  const auto run = b().create();
  // As "a" leaves it that dies with its timers.
  auto cancelled = b().now(run);
  store::Commit commit{.at = world_->env.clock.now()};
  append_run(commit, cancelled, *domain::decide_cancel(cancelled, domain::CancelAction::interrupt));
  ASSERT_TRUE(b().wait(b().store().commit(std::move(commit))));
  pass(seconds(12));
  EXPECT_EQ(b().now(run).state, State::cancelled);
}

TEST_F(InstancesTest, AQuestionIsAnsweredByAWorkerAtAnotherInstance) {
  TestWorker worker(a());
  pass(milliseconds(1));
  std::optional<Result<std::string>> answer;
  const auto ask = [&]() -> Task<void> {
    answer = co_await b().app().workers.request("agent", "get_graph", R"({"xray":true})",
                                                world_->timers.now() + seconds(5));
  };
  spawn(world_->timers.executor(), "ask", ask());
  pass(milliseconds(1));
  const auto asked = worker.got<WorkerRequest>();
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_EQ(asked[0].method, "get_graph");
  EXPECT_EQ(asked[0].params, R"({"xray":true})");
  a().app().workers.replied(asked[0].id, fail({Errc::invalid_argument, "no such node", {{"node", "none"}}}));
  pass(milliseconds(1));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->error().code, Errc::invalid_argument);
  EXPECT_EQ(answer->error().fields.at(0).place, "node");
}

TEST_F(InstancesTest, AQuestionIsAskedAgainWhenTheWorkersConnectionCloses) {
  auto worker = std::make_unique<TestWorker>(a());
  pass(milliseconds(1));
  std::optional<Result<std::string>> answer;
  const auto ask = [&]() -> Task<void> {
    answer =
        co_await b().app().workers.request("agent", "get_graph", "{}", world_->timers.now() + seconds(20));
  };
  spawn(world_->timers.executor(), "ask", ask());
  pass(milliseconds(1));
  worker->disconnect();
  TestWorker other(b());
  pass(milliseconds(1));
  ASSERT_THAT(other.got<WorkerRequest>(), SizeIs(1));
  b().app().workers.replied(other.got<WorkerRequest>()[0].id, std::string("{}"));
  pass(milliseconds(1));
  EXPECT_TRUE(answer && answer->has_value());
}

TEST_F(InstancesTest, AWorkerComesBackAtAnotherInstance) {
  TestWorker worker(a());
  const auto run = a().create();
  const auto lease = worker.leased();
  worker.say(lease, 1, values("1"));
  const auto old_link = worker.shared_link();
  worker.turn_to(b());
  const auto welcome = worker.connect({{run.id, 1}});
  ASSERT_TRUE(welcome);
  EXPECT_EQ(welcome->owned.at(0).state, OwnedAnswer::State::live);
  EXPECT_EQ(welcome->owned.at(0).applied_n, 1);
  pass(milliseconds(1));
  EXPECT_TRUE(old_link->closed);
  EXPECT_EQ(a().app().workers.free_slots(), 0);
  worker.complete(lease, 2);
  EXPECT_EQ(a().now(run).state, State::completed);
  EXPECT_EQ(b().app().workers.free_slots(), 1);
}

TEST_F(InstancesTest, ASlotThatHasMovedIsNotGivenAwayByItsOldInstance) {
  TestWorker worker(a());
  hub_.cut(true);  // "a" is not told
  worker.turn_to(b());
  ASSERT_TRUE(worker.connect());
  const auto run = a().create();
  EXPECT_EQ(a().now(run).state, State::queued);
  hub_.cut(false);
  pass(milliseconds(1));
  EXPECT_EQ(worker.leased().id, run.id);
  EXPECT_EQ(worker.leased().epoch, 1);
}

TEST_F(InstancesTest, ASessionWhoseInstanceDiedHasTwoSecondsToComeBack) {
  TestWorker worker(a());
  const auto run = a().create();
  lose_a();
  worker.fall_silent();
  pass(milliseconds(1500));
  EXPECT_EQ(b().now(run).state, State::in_progress);
  worker.turn_to(b());
  ASSERT_TRUE(worker.connect({{run.id, 1}}));
  pass(seconds(20));
  EXPECT_EQ(b().now(run).epoch, 1);
  EXPECT_EQ(b().now(run).state, State::in_progress);
}

TEST_F(InstancesTest, ASessionThatDiedWithItsInstanceLosesItsRuns) {
  TestWorker worker(a());
  TestWorker other(b());
  const auto run = a().create();
  ASSERT_EQ(worker.leased().id, run.id);
  lose_a();
  worker.fall_silent();
  pass(seconds(5));
  EXPECT_EQ(other.leased().id, run.id);
  EXPECT_EQ(other.leased().attempt, 2);
}

TEST_F(InstancesTest, AConnectionThatClosedAtAnotherInstanceEndsItsSession) {
  TestWorker worker(b());
  TestWorker other(a());
  const auto run = b().create();
  worker.fall_silent();
  worker.disconnect();
  pass(seconds(4));
  EXPECT_EQ(other.leased().id, run.id);
}

TEST_F(InstancesTest, HeartbeatsCountWhereverTheyAreHeard) {
  TestWorker worker(b());
  const auto run = b().create();
  worker.fall_silent();
  for (int i = 0; i < 15; ++i) {
    a().app().workers.beat(worker.session());  // its supervisor is connected to "a"
    pass(seconds(2));
  }
  EXPECT_EQ(b().now(run).epoch, 1);
  pass(seconds(13));
  EXPECT_EQ(b().now(run).state, State::queued);
  EXPECT_TRUE(worker.link().closed);
}

TEST_F(InstancesTest, HeartbeatsOfAnotherInstanceKeepASessionAlive) {
  TestWorker worker(b());
  const auto run = b().create();
  pass(seconds(60));
  EXPECT_EQ(b().now(run).epoch, 1);
  lose_a();
  pass(seconds(60));
  EXPECT_EQ(b().now(run).epoch, 1);
}

TEST_F(InstancesTest, ASupervisorMayTellAnyInstanceThatAProcessEnded) {
  TestWorker worker(b());
  TestWorker other(b());
  const auto run = b().create();
  auto& owner = worker.idle() ? other : worker;
  auto& idle = worker.idle() ? worker : other;
  a().app().workers.ended(owner.session(), "its process ended");
  pass(milliseconds(10));
  EXPECT_EQ(idle.leased().id, run.id);
  EXPECT_EQ(idle.leased().attempt, 2);
  EXPECT_TRUE(owner.link().closed);
}

TEST_F(InstancesTest, WithoutTheBusEverythingGoesOnAtThePaceOfPolling) {
  TestWorker worker(a());
  pass(milliseconds(1));
  hub_.cut(true);
  const auto second = [&] {
    hub_.wake_everybody();
    pass(seconds(1));
  };
  const auto run = b().create();
  second();
  ASSERT_EQ(worker.leased().id, run.id);
  Streams::Reader reader(b().app().streams, run.id, 1);
  worker.say(worker.leased(), 1, values("1"));
  std::optional<Streams::Page> page;
  const auto read = [&]() -> Task<void> {
    auto got = co_await reader.next(world_->timers.now() + seconds(10));
    if (got) page = std::move(*got);
  };
  spawn(world_->timers.executor(), "read", read());
  second();
  ASSERT_TRUE(page);
  EXPECT_EQ(page->frames.at(0).frame.data, "1");
  ASSERT_TRUE(b().wait(b().app().runs.cancel(the_server, run.id, domain::CancelAction::interrupt)));
  second();
  EXPECT_THAT(worker.got<CancelOrder>(), SizeIs(::testing::Ge(1U)));
}

TEST_F(InstancesTest, OfManyCreationsThatRejectOneIsAccepted) {
  const auto thread = a().make_thread();
  int accepted = 0, refused = 0;
  const auto create = [&](TestServer& server) -> Task<void> {
    auto order = TestServer::order(thread);
    order.request.multitask = domain::MultitaskStrategy::reject;
    const auto run = co_await server.app().runs.create(the_server, std::move(order));
    run ? ++accepted : ++refused;
  };
  for (int i = 0; i < 50; ++i) {
    spawn(world_->timers.executor(), "create", create(a()));
    spawn(world_->timers.executor(), "create", create(b()));
  }
  pass(seconds(1));
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(refused, 99);
}

TEST_F(InstancesTest, AGraphThatAWorkerBringsIsKnownEverywhere) {
  TestWorker worker(a(), {.graphs = {{"new", "", "null"}}});
  hub_.cut(true);
  auto order = TestServer::order();
  order.assistant = "new";
  EXPECT_NO_THROW(b().create(std::move(order)));
}

TEST_F(InstancesTest, AClaimWhoseOutcomeWasNotToldIsFound) {
  TestWorker worker(a());
  const auto run = a().create();
  ASSERT_EQ(worker.leased().id, run.id);
  const auto session = a().app().workers.session(worker.session());
  session->running.clear();  // as after a commit whose answer was lost
  a().app().workers.doubt(worker.session());
  pass(seconds(1));
  EXPECT_THAT(worker.got<LeaseOffer>(), SizeIs(2));
  EXPECT_TRUE(session->running.contains(run.id));
}

TEST_F(InstancesTest, InstancesStartDifferentRunsOfTheQueue) {
  for (int i = 0; i < 4; ++i) a().create();
  const auto now = world_->env.clock.now();
  const auto ids = [](const store::Claimable& claimed) {
    std::vector<std::string> out;
    for (const auto& run : claimed.runs) out.push_back(run.id);
    return out;
  };
  auto first = a().get(a().store().claimable_runs({"agent"}, now, 2));
  const auto second = b().get(b().store().claimable_runs({"agent"}, now, 3));
  EXPECT_THAT(first.runs, SizeIs(2));
  EXPECT_THAT(second.runs, SizeIs(2));
  EXPECT_LT(ids(first).back(), ids(second).front());
  const auto let_go = ids(first);
  const auto release = [&]() -> Task<bool> {
    co_await first.release();
    co_return true;
  };
  a().wait(release());
  EXPECT_EQ(ids(a().get(a().store().claimable_runs({"agent"}, now, 9))), let_go);
}

TEST_F(InstancesTest, LeasesOfASessionThatIsNotThereAreTakenAway) {
  const auto run = b().create();
  auto started = b().now(run);
  store::Commit commit{.at = world_->env.clock.now()};
  append_run(commit, started, *domain::decide_start(started, {"nobody", "nobody", "1", 0, 0}, *commit.at));
  commit.changes.emplace_back(
      store::PutLease{{run.id, store::LeaseKind::run, run.thread_id, started.epoch, "nobody", 0}});
  ASSERT_TRUE(b().wait(b().store().commit(std::move(commit))));
  EXPECT_EQ(b().now(run).state, State::in_progress);
  pass(seconds(12));
  EXPECT_EQ(b().now(run).state, State::queued);
}

TEST_F(InstancesTest, ASessionThatMovedAndVanishedHasItsTwoSeconds) {
  TestWorker worker(a());
  pass(seconds(30));
  const auto run = a().create();
  hub_.cut(true);
  worker.turn_to(b());
  ASSERT_TRUE(worker.connect({{run.id, 1}}));
  worker.fall_silent();
  worker.disconnect();
  pass(milliseconds(1900));
  EXPECT_EQ(a().now(run).state, State::in_progress);
  pass(seconds(3));
  EXPECT_EQ(a().now(run).state, State::queued);
}

}  // namespace
}  // namespace dg::app::testing
