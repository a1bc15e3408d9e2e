#include "base/shared_clock.hpp"

#include <gtest/gtest.h>

#include "base/virtual_time.hpp"

namespace dg {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class SharedClockTest : public ::testing::Test {
 protected:
  // It is asked, and answers after `way`, of which half is the way there.
  void ask(Duration way, WallTime says) {
    const auto asked = world_.timers.now();
    world_.timers.run_for(way);
    clock_.learn(says + std::chrono::duration_cast<WallTime::duration>(way) / 2, asked, world_.timers.now());
  }

  VirtualWorld world_;
  SharedClock clock_{world_.timers};
  WallTime noon_ = from_micros(2'000'000'000'000'000);
};

TEST_F(SharedClockTest, BeforeItWasToldItIsTheSystems) {
  const auto before = make_system_clock()->now();
  EXPECT_GE(clock_.now(), before);
  EXPECT_LE(clock_.now(), make_system_clock()->now());
}

TEST_F(SharedClockTest, ItGoesOnFromWhatItWasTold) {
  ask(milliseconds(10), noon_);
  EXPECT_EQ(clock_.now(), noon_ + milliseconds(10));
  world_.timers.run_for(hours(2));
  EXPECT_EQ(clock_.now(), noon_ + milliseconds(10) + hours(2));
}

TEST_F(SharedClockTest, ASlowAnswerDoesNotMakeItWorse) {
  ask(milliseconds(10), noon_);
  clock_.learn(noon_ + milliseconds(10) + seconds(3), world_.timers.now(), world_.timers.now() + seconds(8));
  EXPECT_EQ(clock_.now(), noon_ + milliseconds(10));
}

TEST_F(SharedClockTest, ItFollowsOneThatWasSet) {
  for (const auto by : {hours(1), -hours(1)}) {
    ask(milliseconds(10), noon_);
    ask(milliseconds(10), noon_ + by);
    EXPECT_LE(std::chrono::abs(clock_.now() - (noon_ + by + milliseconds(10))), milliseconds(5));
  }
}

}  // namespace
}  // namespace dg
