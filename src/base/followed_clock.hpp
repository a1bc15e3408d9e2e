// The time of day as another machine has it, so that all who follow that machine agree on it, whatever their
// own clocks say.
#pragma once

#include "base/env.hpp"

namespace dg {

class FollowedClock final : public Clock {
 public:
  // What is passed outlives it. Until it was told a time it has `own`'s.
  FollowedClock(const Clock& own, const Timers& timers) : own_(own), timers_(timers) {}

  WallTime now() const override;
  // The other machine said `theirs` at some moment between `asked`, by the timers, and now. What is believed
  // changes only where that contradicts it. Called on the loop of the timers; others may ask for the time
  // meanwhile.
  void hear(WallTime theirs, SteadyTime asked);

 private:
  const Clock& own_;
  const Timers& timers_;
  std::atomic<bool> heard_ = false;
  std::atomic<Duration> ahead_{};  // of the timers
};

}  // namespace dg
