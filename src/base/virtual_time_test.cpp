#include "base/virtual_time.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace dg {
namespace {

using std::chrono::seconds;

TEST(VirtualTime, EachCallIsMadeAtItsOwnTime) {
  VirtualWorld world;
  const auto began = world.timers.now();
  std::vector<Duration> times;
  const auto note = [&] { times.push_back(world.timers.now() - began); };
  world.timers.call_at(began + seconds(3), note);
  world.timers.call_at(began + seconds(1), [&] {
    note();
    world.timers.call_at(began + seconds(2), note);
  });
  world.timers.run_until(began + seconds(10));
  EXPECT_EQ(times, (std::vector<Duration>{seconds(1), seconds(2), seconds(3)}));
  EXPECT_EQ(world.timers.now(), began + seconds(10));
}

TEST(VirtualTime, CallsOfOneTimeAreMadeInTheOrderOfAsking) {
  VirtualTimers timers;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) timers.call_at(timers.now(), [&order, i] { order.push_back(i); });
  EXPECT_TRUE(order.empty());
  timers.run_for(Duration{});
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(VirtualTime, WaitTakesAsMuchTimeAsTheTaskNeeds) {
  VirtualWorld world;
  const auto began = world.timers.now();
  const auto slow = [](Timers& timers) -> Task<int> {
    co_await sleep_for(timers, seconds(90));
    co_return 7;
  };
  EXPECT_EQ(world.wait(slow(world.timers)), 7);
  EXPECT_EQ(world.timers.now(), began + seconds(90));
  EXPECT_THROW(world.wait(slow(world.timers), seconds(10)), std::runtime_error);
}

TEST(VirtualTime, WaitPassesOnWhatTheTaskThrows) {
  VirtualWorld world;
  const auto broken = []() -> Task<int> {
    throw std::logic_error("boom");
    co_return 0;
  };
  EXPECT_THROW(world.wait(broken()), std::logic_error);
}

TEST(VirtualTime, TheClockGoesWithTheTimersUnlessItIsSet) {
  VirtualWorld world;
  const auto began = world.clock.now();
  world.timers.run_for(seconds(5));
  EXPECT_EQ(world.clock.now() - began, seconds(5));
  world.clock.step(-seconds(60));
  EXPECT_EQ(world.clock.now() - began, seconds(-55));
}

TEST(VirtualTime, NothingThatWasAbandonedHappens) {
  VirtualWorld world;
  bool happened = false;
  world.timers.call_at(world.timers.now() + seconds(1), [&] { happened = true; });
  spawn(world.timers.executor(), "doomed", [](Timers& timers, bool& done) -> Task<void> {
    co_await sleep_for(timers, Duration{});
    done = true;
  }(world.timers, happened));
  world.timers.abandon();
  world.timers.run_for(seconds(60));
  EXPECT_FALSE(happened);
}

TEST(SeededRandom, FollowsFromItsSeed) {
  SeededRandom one(7), same(7), other(8);
  const auto first = one.next();
  EXPECT_EQ(first, same.next());
  EXPECT_NE(first, other.next());
  EXPECT_NE(first, one.next());
}

}  // namespace
}  // namespace dg
