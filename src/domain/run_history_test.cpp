#include "domain/run_history.hpp"

#include <gtest/gtest.h>

namespace dg::domain {
namespace {

Run after(const std::vector<RunEvent>& events) {
  Run run;
  run.id = "r";
  for (const auto& event : events) run = evolve(std::move(run), event, from_micros(1));
  return run;
}

const RunEvent made = RunCreated{};
const RunEvent started = RunStarted{"s", "w", "rev", 1, 1};

std::string why(const std::vector<RunEvent>& before, const RunEvent& event, bool deleted = false) {
  return impossible_after(after(before), deleted, event).value_or("");
}

TEST(RunHistory, WhatHappensToRunsIsPossible) {
  EXPECT_EQ(why({}, made), "");
  EXPECT_EQ(why({made}, started), "");
  EXPECT_EQ(why({made, started}, CheckpointSaved{}), "");
  EXPECT_EQ(why({made, started}, LeaseExpired{"s", "gone", 2, {}}), "");
  EXPECT_EQ(why({made, started, LeaseExpired{"s", "gone", 2, {}}}, RunStarted{"s", "w", "rev", 3, 2}), "");
  EXPECT_EQ(why({made, started, RunRequiresAction{}}, RunCompleted{"other"}), "");
  EXPECT_EQ(why({made, RunCancelRequested{}}, RunCancelled{}), "");
  EXPECT_EQ(why({made, started, RunCompleted{}}, RunDeleted{}), "");
}

TEST(RunHistory, WhatNoDecisionGivesIsNamed) {
  EXPECT_EQ(why({}, started), "the run was not created before");
  EXPECT_EQ(why({made}, made), "the run exists already");
  EXPECT_EQ(why({made}, CheckpointSaved{}), "the run is queued then");
  EXPECT_EQ(why({made, started, RunCompleted{}}, CheckpointSaved{}), "the run is completed then");
  EXPECT_EQ(why({made, started, RunCompleted{}}, RunFailed{}), "the run is completed then");
  EXPECT_EQ(why({made}, RunStarted{"s", "w", "rev", 3, 1}), "its epoch is 3 after 0");
  EXPECT_EQ(why({made}, RunStarted{"s", "w", "rev", 1, 2}), "its attempt is 2 after 0");
  EXPECT_EQ(why({made, started}, LeaseExpired{"s", "gone", 1, {}}), "its epoch is 1 after 1");
  EXPECT_EQ(why({made, started}, RunDeleted{}), "the run is in_progress then");
  EXPECT_EQ(why({made, started, RunCompleted{}}, RunDeleted{}, true), "the run was deleted before");
}

}  // namespace
}  // namespace dg::domain
