#include "domain/multitask.hpp"

#include <gtest/gtest.h>

namespace dg::domain {
namespace {

using enum RunState;
using Ids = std::vector<std::string>;

Run run_in(std::string id, RunState state) {
  domain::Run run;
  run.id = std::move(id);
  run.state = state;
  return run;
}

const std::vector<Run> some{run_in("paused", requires_action), run_in("running", in_progress),
                            run_in("waiting", queued), run_in("over", completed)};
const std::vector<Run> only_paused{run_in("p1", requires_action), run_in("p2", requires_action)};

TEST(Multitask, RejectRefusesABusyThread) {
  const auto plan = plan_multitask(MultitaskStrategy::reject, some, false);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Errc::busy);
  EXPECT_EQ(
      plan.error().message,
      "Thread is already running a task. Wait for it to finish or choose a different multitask strategy.");
  EXPECT_EQ(plan_multitask(MultitaskStrategy::reject, {}, true).error().code, Errc::busy);
  EXPECT_EQ(plan_multitask(MultitaskStrategy::reject, {run_in("q", queued)}, false).error().code, Errc::busy);
}

TEST(Multitask, RejectAcceptsOnAPausedThread) {
  const auto plan = plan_multitask(MultitaskStrategy::reject, only_paused, false);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->resume, (Ids{"p1", "p2"}));
  EXPECT_EQ(plan->cancel, Ids{});
  EXPECT_EQ(plan->action, CancelAction::none);
}

TEST(Multitask, EnqueueWaits) {
  const auto plan = plan_multitask(MultitaskStrategy::enqueue, some, true);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->cancel, Ids{});
  EXPECT_EQ(plan->action, CancelAction::none);
  EXPECT_EQ(plan->resume, Ids{"paused"});
}

TEST(Multitask, InterruptAndRollbackCancelWhatIsActive) {
  for (const auto& [strategy, action] : {std::pair(MultitaskStrategy::interrupt, CancelAction::interrupt),
                                         std::pair(MultitaskStrategy::rollback, CancelAction::rollback)}) {
    const auto plan = plan_multitask(strategy, some, true);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->cancel, (Ids{"running", "waiting"}));
    EXPECT_EQ(plan->action, action);
    EXPECT_EQ(plan->resume, Ids{"paused"});
  }
}

}  // namespace
}  // namespace dg::domain
