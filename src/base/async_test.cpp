#include "base/async.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "base/virtual_time.hpp"

namespace dg {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Loops under virtual time, and what happened on them in order.
class AsyncTest : public testing::Test {
 protected:
  void start(Task<void> task) { spawn(world_.timers.executor(), "test", std::move(task)); }

  Task<void> sleeper(Duration duration, std::string name) {
    co_await sleep_for(world_.timers, duration);
    happened_.push_back(std::move(name));
  }

  Task<void> waiter(Signal& signal, SteadyTime deadline) {
    outcomes_.push_back(co_await signal.wait_until(deadline));
  }

  Duration passed() const { return world_.timers.now() - began_; }

  VirtualWorld world_;
  SteadyTime began_ = world_.timers.now();
  std::vector<std::string> happened_;
  std::vector<bool> outcomes_;
};

TEST_F(AsyncTest, SleepersWakeInTheOrderOfTheirTimes) {
  start(sleeper(seconds(3), "late"));
  start(sleeper(seconds(1), "early"));
  start(sleeper(seconds(2), "middle"));
  world_.timers.run_for(milliseconds(2999));
  EXPECT_EQ(happened_, (std::vector<std::string>{"early", "middle"}));
  world_.timers.run_for(milliseconds(1));
  EXPECT_EQ(happened_.back(), "late");
  EXPECT_EQ(passed(), seconds(3));
}

TEST_F(AsyncTest, ASleepOfNoTimeStillLetsOthersRun) {
  start(sleeper(Duration{}, "slept"));
  happened_.emplace_back("started");
  world_.timers.run_for(Duration{});
  EXPECT_EQ(happened_, (std::vector<std::string>{"started", "slept"}));
}

TEST_F(AsyncTest, TimersThatGoTakeTheSleepersWithThem) {
  const auto token = std::make_shared<int>();
  start([](Timers& timers, std::shared_ptr<int> held) -> Task<void> {
    co_await sleep_for(timers, std::chrono::hours(1));
    ++*held;
  }(world_.timers, token));
  world_.timers.run_ready();
  EXPECT_EQ(token.use_count(), 2);
  world_.timers.abandon();
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(AsyncTest, ANotificationWakesEverybodyWhoWaits) {
  Signal signal(world_.timers);
  for (int i = 0; i < 3; ++i) start(waiter(signal, SteadyTime::max()));
  world_.timers.run_ready();
  EXPECT_EQ(signal.waiters(), 3u);
  signal.notify_all();
  EXPECT_TRUE(outcomes_.empty()) << "nobody runs on the notifier's stack";
  world_.timers.run_ready();
  EXPECT_EQ(outcomes_, (std::vector<bool>{true, true, true}));
  EXPECT_EQ(signal.waiters(), 0u);
}

TEST_F(AsyncTest, AWaitEndsAtItsDeadline) {
  Signal signal(world_.timers);
  start(waiter(signal, began_ + seconds(1)));
  start(waiter(signal, began_ + seconds(5)));
  world_.timers.run_for(seconds(1));
  EXPECT_EQ(outcomes_, (std::vector<bool>{false}));
  signal.notify_all();
  world_.timers.run_for(seconds(10));
  EXPECT_EQ(outcomes_, (std::vector<bool>{false, true})) << "the late deadline was forgotten";
}

TEST_F(AsyncTest, ANotificationBeforeTheWaitDoesNotCount) {
  Signal signal(world_.timers);
  signal.notify_all();
  start(waiter(signal, began_ + seconds(1)));
  world_.timers.run_for(seconds(1));
  EXPECT_EQ(outcomes_, (std::vector<bool>{false}));
}

TEST_F(AsyncTest, DestroyingASignalCountsAsANotification) {
  auto signal = std::make_unique<Signal>(world_.timers);
  start(waiter(*signal, began_ + seconds(1)));
  start(waiter(*signal, SteadyTime::max()));
  world_.timers.run_ready();
  signal.reset();
  world_.timers.run_for(seconds(2));
  EXPECT_EQ(outcomes_, (std::vector<bool>{true, true}));
}

TEST_F(AsyncTest, OneMayWaitAgainWhileBeingWoken) {
  Signal signal(world_.timers);
  start([](Signal& again, std::vector<std::string>& happened) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      co_await again.wait();
      happened.emplace_back("woken");
    }
  }(signal, happened_));
  for (std::size_t i = 1; i <= 3; ++i) {
    world_.timers.run_ready();
    signal.notify_all();
    world_.timers.run_ready();
    EXPECT_EQ(happened_.size(), i);
  }
}

TEST(SpawnDeathTest, AnExceptionThatLeavesATaskEndsTheProcess) {
  EXPECT_DEATH(
      {
        VirtualTimers timers;
        spawn(timers.executor(), "broken", []() -> Task<void> {
          throw std::logic_error("boom");
          co_return;
        }());
        timers.run_ready();
      },
      "a bug ended the task 'broken': boom");
}

// The system's timers, with times that have come already, so that nothing is waited for.
class SystemTimersTest : public testing::Test {
 protected:
  void note(SteadyTime when, int number) {
    timers_->call_at(when, [this, number] { calls_.push_back(number); });
  }
  void run() {
    io_.restart();
    io_.run_for(seconds(20));
  }

  boost::asio::io_context io_{1};
  std::unique_ptr<Timers> timers_ = make_system_timers(io_);
  SteadyTime now_ = timers_->now();
  std::vector<int> calls_;
};

TEST_F(SystemTimersTest, CallsComeInTheOrderOfTheirTimes) {
  note(now_ - seconds(1), 2);
  note(now_ - seconds(2), 1);
  note(now_ + milliseconds(2), 4);
  note(now_ - seconds(1), 3);
  EXPECT_TRUE(calls_.empty()) << "a call is never made from inside call_at";
  run();
  EXPECT_EQ(calls_, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_GE(timers_->now(), now_ + milliseconds(2)) << "not before its time";
}

TEST_F(SystemTimersTest, ACancelledCallIsNotMade) {
  const auto first = timers_->call_at(now_ + milliseconds(1), [this] { calls_.push_back(1); });
  note(now_ + milliseconds(2), 2);
  timers_->cancel(first);
  timers_->cancel(first);
  timers_->cancel(4711);
  run();
  EXPECT_EQ(calls_, (std::vector<int>{2}));
}

TEST_F(SystemTimersTest, ACallMayAskForAnotherAndCancelOne) {
  Timers::Id doomed = 0;
  timers_->call_at(now_ - seconds(2), [&] {
    calls_.push_back(1);
    timers_->cancel(doomed);
    note(now_ - seconds(5), 2);
  });
  doomed = timers_->call_at(now_ - seconds(1), [this] { calls_.push_back(99); });
  run();
  EXPECT_EQ(calls_, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace dg
