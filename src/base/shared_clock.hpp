// The time of day as one clock has it that many processes ask, so that their own need not agree.
#pragma once

#include <optional>

#include "base/env.hpp"

namespace dg {

// Between two answers the steady clock goes on. Until the first answer it is the system's time of day.
class SharedClock final : public Clock {
 public:
  explicit SharedClock(const Timers& timers);
  WallTime now() const override;
  // The shared clock said `time` at some moment between the two. What is believed changes by no more than
  // this answer demands, however slow it was.
  void learn(WallTime time, SteadyTime asked, SteadyTime answered);

 private:
  const Timers& timers_;
  std::unique_ptr<Clock> system_ = make_system_clock();
  std::optional<WallTime> origin_;  // what the shared clock says at the steady clock's zero
};

}  // namespace dg
