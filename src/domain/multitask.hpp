// What happens when a run is created on a thread that has others.
#pragma once

#include <string>
#include <vector>

#include "domain/run.hpp"

namespace dg::domain {

// What to do with the thread's other runs when one more is accepted.
struct MultitaskPlan {
  std::vector<std::string> cancel;  // active runs to cancel with `action`
  CancelAction action = CancelAction::none;
  std::vector<std::string> resume;  // paused runs that the new one takes over from
};

// `others` are the thread's active and paused runs. Errc::busy when the strategy is reject and one
// is active, or when an operation owns the thread and the strategy is reject.
Result<MultitaskPlan> plan_multitask(MultitaskStrategy strategy, const std::vector<Run>& others,
                                     bool operation_active);

}  // namespace dg::domain
