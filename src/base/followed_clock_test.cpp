#include "base/followed_clock.hpp"

#include <gtest/gtest.h>

#include "base/virtual_time.hpp"

namespace dg {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class FollowedClockTest : public ::testing::Test {
 protected:
  // The other machine's answer takes `there` to be given and `back` to arrive.
  void ask(Duration there, Duration back) {
    const auto asked = world_.timers.now();
    world_.timers.run_for(there);
    const auto said = theirs_.now();
    world_.timers.run_for(back);
    clock_.hear(said, asked);
  }
  Duration error() const { return clock_.now() - theirs_.now(); }

  VirtualWorld world_;
  VirtualClock theirs_{world_.timers};
  FollowedClock clock_{world_.clock, world_.timers};
};

TEST_F(FollowedClockTest, HasItsOwnTimeUntilItIsToldAnother) {
  theirs_.step(hours(1));
  EXPECT_EQ(clock_.now(), world_.clock.now());
  ask({}, {});
  EXPECT_EQ(error(), Duration(0));
}

TEST_F(FollowedClockTest, IsWrongByLessThanAnAnswerTakes) {
  for (const auto ahead : {hours(1), hours(-3)}) {
    theirs_.step(ahead);
    ask(milliseconds(3), milliseconds(5));
    EXPECT_LE(std::chrono::abs(error()), milliseconds(8));
  }
}

TEST_F(FollowedClockTest, DoesNotMoveForAnAnswerThatAgreesWithIt) {
  theirs_.step(hours(1));
  ask(milliseconds(1), {});
  const auto before = error();
  ask(seconds(1), milliseconds(0));
  ask(milliseconds(0), seconds(1));
  EXPECT_EQ(error(), before);
}

TEST_F(FollowedClockTest, PassesItsOwnMachinesStepsOver) {
  ask({}, {});
  world_.clock.step(hours(1));
  world_.timers.run_for(seconds(5));
  EXPECT_EQ(error(), Duration(0));
}

TEST_F(FollowedClockTest, IdsFollowItFromTheFirstTimeOn) {
  const Env env{clock_, world_.random, world_.timers};
  const auto early = make_uuid7(env);
  theirs_.step(hours(-1));
  ask({}, {});
  const auto id = make_uuid7(env);
  EXPECT_LT(id, early);
  theirs_.step(hours(-1));
  ask({}, {});
  EXPECT_LT(id, make_uuid7(env));
}

}  // namespace
}  // namespace dg
