#include "base/followed_clock.hpp"

namespace dg {

WallTime FollowedClock::now() const {
  if (!heard_) return own_.now();
  return WallTime(timers_.now().time_since_epoch() + ahead_.load());
}

void FollowedClock::hear(WallTime theirs, SteadyTime asked) {
  const auto steady = timers_.now();
  const auto believed = std::clamp(now(), theirs, theirs + (steady - asked));
  ahead_ = believed.time_since_epoch() - steady.time_since_epoch();
  // Ids that were made by this machine's own time are not compared with others.
  if (!heard_.exchange(true)) forget_stamps();
}

}  // namespace dg
