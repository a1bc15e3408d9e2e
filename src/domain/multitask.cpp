#include "domain/multitask.hpp"

namespace dg::domain {

Result<MultitaskPlan> plan_multitask(MultitaskStrategy strategy, const std::vector<Run>& others,
                                     bool operation_active) {
  MultitaskPlan plan;
  std::vector<std::string> active;
  for (const auto& run : others) {
    if (is_active(run.state)) active.push_back(run.id);
    if (run.state == RunState::requires_action) plan.resume.push_back(run.id);
  }
  if (strategy == MultitaskStrategy::reject && (!active.empty() || operation_active))
    return fail(
        Errc::busy,
        "Thread is already running a task. Wait for it to finish or choose a different multitask strategy.");
  if (strategy == MultitaskStrategy::interrupt || strategy == MultitaskStrategy::rollback) {
    plan.cancel = std::move(active);
    plan.action = strategy == MultitaskStrategy::interrupt ? CancelAction::interrupt : CancelAction::rollback;
  }
  return plan;
}

}  // namespace dg::domain
