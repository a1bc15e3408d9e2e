#include "base/shared_clock.hpp"

#include <algorithm>

namespace dg {
namespace {

WallTime origin_at(WallTime time, SteadyTime steady) {
  return time - std::chrono::duration_cast<WallTime::duration>(steady.time_since_epoch());
}

}  // namespace

SharedClock::SharedClock(const Timers& timers) : timers_(timers) {}

WallTime SharedClock::now() const {
  if (!origin_) return system_->now();
  return *origin_ + std::chrono::duration_cast<WallTime::duration>(timers_.now().time_since_epoch());
}

void SharedClock::learn(WallTime time, SteadyTime asked, SteadyTime answered) {
  const auto least = origin_at(time, answered), most = origin_at(time, asked);
  origin_ = origin_ ? std::clamp(*origin_, least, most) : least + (most - least) / 2;
}

}  // namespace dg
