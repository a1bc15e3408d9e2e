// The use cases over a store that takes its time, or does not work for a while.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "app/app.hpp"
#include "base/log.hpp"
#include "base/virtual_time.hpp"
#include "simulation/store/store.hpp"

namespace dg::simulation {
namespace {

using app::the_server;

using std::chrono::milliseconds;
using std::chrono::seconds;

class RecordingLink final : public app::WorkerLink {
 public:
  void send(app::ToWorker message) override { sent.push_back(std::move(message)); }
  void close(std::uint16_t, std::string) override {}
  std::vector<app::ToWorker> sent;
};

class UnsteadyStore : public testing::Test {
 protected:
  UnsteadyStore() {
    log::set_level(log::Level::off);  // failures are what these tests are about
    disk_.fails = [this] { return broken_; };
    EXPECT_TRUE(world_.wait(app_.start()));
    EXPECT_TRUE(world_.wait(app_.workers.declare_graph("agent", "")));
    EXPECT_TRUE(world_.wait(app_.assistants.declare("agent", "", "{}", "{}")));
    EXPECT_TRUE(hello());
  }

  Result<app::Workers::Welcome> hello() {
    app::Hello hello;
    hello.session = "session";
    hello.secret = "secret";
    hello.slots = 1;
    hello.graphs = {{"agent", "", "null"}};
    return world_.wait(app_.workers.hello(std::move(hello), link_));
  }
  domain::Run create(Duration after = {}) {
    app::RunOrder order;
    order.assistant = "agent";
    order.after = after;
    return world_.wait(app_.runs.create(the_server, std::move(order))).value();
  }
  domain::RunState state(const domain::Run& run) { return disk_.tables.run(run.id)->state; }
  // Time passes while the session lives.
  void pass(Duration time) {
    for (; time > Duration(0); time -= seconds(1)) {
      app_.workers.beat("session");
      world_.timers.run_for(std::min<Duration>(time, seconds(1)));
    }
  }

  bool broken_ = false;
  VirtualWorld world_;
  Disk disk_;
  SimulatedStore store_{world_.env, disk_};
  std::unique_ptr<bus::Bus> bus_ = bus::make_local_bus();
  Metrics metrics_;
  app::App app_{app::Context{world_.env, store_, *bus_, {}, "instance", "test"}, metrics_};
  std::shared_ptr<RecordingLink> link_ = std::make_shared<RecordingLink>();
};

TEST_F(UnsteadyStore, AReaderThatKeepsUpNeedsNoStore) {
  const auto run = create();
  std::vector<std::int64_t> numbers;
  spawn(world_.timers.executor(), "reader",
        [](app::Streams& streams, std::string id, std::vector<std::int64_t>& out) -> Task<void> {
          app::Streams::Reader reader(streams, std::move(id), 0);
          while (true) {
            const auto page = co_await reader.next(SteadyTime::max());
            if (!page || page->ended) co_return;
            for (const auto& frame : page->frames) out.push_back(frame.number);
          }
        }(app_.streams, run.id, numbers));
  const auto say = [&](std::int64_t n, decltype(app::OwnerMessage::body) body) {
    app_.owners.receive({.owner = run.id, .epoch = run.epoch, .n = n, .body = std::move(body)}, link_);
    pass(milliseconds(100));
  };
  const app::FramesSaid frame{{{"values", "1"}}};
  say(1, frame);
  int reads = 0;
  disk_.read_time = [&reads] { return ++reads, Duration(0); };
  for (std::int64_t n = 2; n <= 5; ++n) say(n, frame);
  EXPECT_EQ(numbers, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(reads, 0);
  say(6, app::CompleteSaid{});
  EXPECT_GT(reads, 0) << "the end is read";
}

TEST_F(UnsteadyStore, ARunThatBecomesDueWhileTheDispatcherLooksIsNotMissed) {
  const auto run = create(milliseconds(50));
  // The look for due runs is over before it is due, and the look for the next one begins after.
  disk_.read_time = [] { return Duration(milliseconds(40)); };
  pass(milliseconds(400));
  EXPECT_EQ(state(run), domain::RunState::in_progress);
}

TEST_F(UnsteadyStore, ARunThatBecomesDueWhileTheDatabaseFailsIsStartedSoonAfter) {
  const auto run = create(seconds(2));
  broken_ = true;
  pass(seconds(3));
  EXPECT_EQ(state(run), domain::RunState::queued);
  broken_ = false;
  pass(milliseconds(1100));
  EXPECT_EQ(state(run), domain::RunState::in_progress);
}

TEST_F(UnsteadyStore, ASessionThatEndsWhileTheDatabaseFailsLosesItsRunsAfterwards) {
  const auto run = create();
  ASSERT_EQ(state(run), domain::RunState::in_progress);
  broken_ = true;
  app_.workers.ended("session", "its process ended");
  world_.timers.run_for(seconds(3));
  EXPECT_EQ(state(run), domain::RunState::in_progress);
  broken_ = false;
  world_.timers.run_for(seconds(2));
  EXPECT_EQ(state(run), domain::RunState::queued);
  EXPECT_TRUE(disk_.tables.leases().empty());
  EXPECT_TRUE(disk_.tables.sessions.empty());
}

TEST_F(UnsteadyStore, ACancelIsEnforcedThoughTheDatabaseFailsMeanwhile) {
  const auto run = create();
  ASSERT_TRUE(world_.wait(app_.runs.cancel(the_server, run.id, domain::CancelAction::interrupt)));
  pass(seconds(4));
  broken_ = true;
  pass(seconds(3));
  EXPECT_EQ(state(run), domain::RunState::in_progress);
  broken_ = false;
  pass(seconds(2));
  EXPECT_EQ(state(run), domain::RunState::cancelled);
}

TEST_F(UnsteadyStore, AWorkerIsNotWelcomeWithoutItsLeases) {
  const auto run = create();
  // The lease never arrived, and the run cannot be read when the worker comes back.
  app_.owners.disconnected(link_.get());
  app_.workers.disconnected("session", link_.get(), false);
  int reads = 0;
  disk_.fails = [&reads] {
    return ++reads == 4;
  };  // its row is read and written, the leases are read, the run is not
  EXPECT_FALSE(hello());
  const auto welcome = hello();
  ASSERT_TRUE(welcome);
  ASSERT_EQ(welcome->offers.size(), 1u);
  EXPECT_EQ(welcome->offers[0].run.id, run.id);
  disk_.fails = [] { return false; };
}

TEST_F(UnsteadyStore, AnOperationEndsThoughTheDatabaseFailsAtItsTime) {
  const auto run = create();
  ASSERT_TRUE(world_.wait(app_.runs.cancel(the_server, run.id, domain::CancelAction::interrupt)));
  pass(seconds(6));
  ASSERT_TRUE(world_.wait(app_.threads.begin(run.thread_id, "session")));
  pass(seconds(29));
  broken_ = true;
  pass(seconds(3));
  EXPECT_FALSE(disk_.tables.leases().empty());
  broken_ = false;
  pass(seconds(2));
  EXPECT_TRUE(disk_.tables.leases().empty());
}

// An operation on the thread of a run that is over.
class UnsteadyOperation : public UnsteadyStore {
 protected:
  UnsteadyOperation() {
    const auto run = create();
    EXPECT_TRUE(world_.wait(app_.runs.cancel(the_server, run.id, domain::CancelAction::interrupt)));
    pass(seconds(6));
    thread_ = run.thread_id;
  }
  void update() {
    spawn(world_.timers.executor(), "update", [](UnsteadyOperation& test) -> Task<void> {
      test.updated_ = co_await test.app_.threads.update_state(the_server, test.thread_, {});
    }(*this));
  }

  std::string thread_;
  std::optional<Result<std::string>> updated_;
};

TEST_F(UnsteadyOperation, IsOverWhenItsSessionEndsBeforeItHasBegun) {
  disk_.flush_time = [] { return Duration(milliseconds(100)); };
  update();
  world_.timers.run_for(milliseconds(50));
  app_.workers.ended("session", "its process ended");
  world_.timers.run_for(seconds(1));
  EXPECT_TRUE(disk_.tables.leases().empty());
  EXPECT_FALSE(updated_) << "another worker may do it";
  world_.timers.run_for(app::Settings{}.worker_wait);
  ASSERT_TRUE(updated_);
  EXPECT_EQ(updated_->error().code, Errc::unavailable);
}

TEST_F(UnsteadyOperation, OfAWorkerIsOverWhenItsSessionEndsBeforeItHasBegun) {
  disk_.flush_time = [] { return Duration(milliseconds(100)); };
  spawn(world_.timers.executor(), "begin", [](app::App& app, std::string thread) -> Task<void> {
    EXPECT_TRUE(co_await app.threads.begin(std::move(thread), "session"));
  }(app_, thread_));
  world_.timers.run_for(milliseconds(50));
  app_.workers.ended("session", "its process ended");
  world_.timers.run_for(seconds(1));
  EXPECT_TRUE(disk_.tables.leases().empty());
}

TEST_F(UnsteadyOperation, IsOverWhenTheConnectionIsLostBeforeItHasBegun) {
  disk_.flush_time = [] { return Duration(milliseconds(100)); };
  update();
  world_.timers.run_for(milliseconds(50));
  app_.workers.disconnected("session", link_.get(), false);
  world_.timers.run_for(seconds(1));
  ASSERT_TRUE(updated_);
  EXPECT_EQ(updated_->error().code, Errc::unavailable);
  EXPECT_TRUE(disk_.tables.leases().empty());
}

TEST_F(UnsteadyStore, ASlotThatARefusedBatchGivesBackIsUsedAtOnce) {
  bool held = false;
  disk_.read_time = [&] {
    if (held || app_.workers.free_slots() > 0) return Duration{};
    held = true;  // between the first run, which has the slot, and the second
    return Duration(seconds(1));
  };
  app::RunOrder good, bad;
  good.assistant = "agent";
  bad.assistant = "nobody";
  spawn(world_.timers.executor(), "batch",
        [](app::App& app, std::vector<app::RunOrder> orders) -> Task<void> {
          EXPECT_FALSE(co_await app.runs.create_all(the_server, std::move(orders)));
        }(app_, {good, bad}));
  world_.timers.run_for(milliseconds(10));
  ASSERT_TRUE(held);
  const auto run = create();
  EXPECT_EQ(state(run), domain::RunState::queued);
  pass(seconds(2));
  EXPECT_EQ(state(run), domain::RunState::in_progress);
}

}  // namespace
}  // namespace dg::simulation
