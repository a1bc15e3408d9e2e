// A fixed set of seeds keeps every guarantee; each planted bug is found; a seed is replayed exactly.
#include <gtest/gtest.h>

#include "simulation/world/world.hpp"

namespace dg::simulation {
namespace {

constexpr std::uint64_t fixed_seeds = 500;

// What a test may be called.
std::string test_name(std::string_view name) {
  std::string out(name);
  for (auto& c : out)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return out;
}

TEST(Simulation, FixedSeedsKeepEveryGuarantee) {
  std::uint64_t steps = 0;
  for (std::uint64_t seed = 1; seed <= fixed_seeds; ++seed) {
    const auto scenario = make_scenario(seed);
    const auto outcome = simulate(scenario);
    steps += outcome.steps;
    ASSERT_FALSE(outcome.violation) << report(scenario, Bug::none, *outcome.violation);
  }
  EXPECT_GT(steps, fixed_seeds * 500) << "the seeds hardly do anything";
}

TEST(Simulation, ASeedIsReplayedExactly) {
  for (const std::uint64_t seed : {1, 7, 11, 18}) {
    const auto first = simulate(make_scenario(seed));
    const auto second = simulate(make_scenario(seed));
    EXPECT_EQ(first.steps, second.steps);
    EXPECT_EQ(first.fingerprint, second.fingerprint);
  }
}

TEST(Simulation, AFailureIsShrunkAndSaysWhatBroke) {
  constexpr auto bug = Bug::cancel_lost;
  for (std::uint64_t seed = 1;; ++seed) {
    ASSERT_LE(seed, 50u);
    const auto scenario = make_scenario(seed);
    const auto outcome = simulate(scenario, bug);
    if (!outcome.violation) continue;
    EXPECT_EQ(outcome.violation->guarantee, "G6");
    const auto small = shrink(scenario, bug, *outcome.violation);
    EXPECT_LE(small.entries.size(), 5u);
    EXPECT_TRUE(simulate(small, bug).violation);
    const auto text = report(scenario, bug, *outcome.violation);
    EXPECT_NE(text.find("seed " + std::to_string(seed)), std::string::npos) << text;
    EXPECT_NE(text.find("G6 is broken"), std::string::npos) << text;
    return;
  }
}

class PlantedBugs : public testing::TestWithParam<PlantedBug> {};

TEST_P(PlantedBugs, AreFoundWithinTheirSeeds) {
  const auto& planted = GetParam();
  for (std::uint64_t seed = 1; seed <= planted.within_seeds; ++seed) {
    const auto outcome = simulate(make_scenario(seed), planted.bug);
    if (!outcome.violation) continue;
    std::cout << "found by seed " << seed << ": " << outcome.violation->guarantee << ": "
              << outcome.violation->text << '\n';
    return;
  }
  FAIL() << "no seed up to " << planted.within_seeds << " finds that " << planted.name;
}

INSTANTIATE_TEST_SUITE_P(Simulation, PlantedBugs, testing::ValuesIn(planted_bugs()),
                         [](const auto& param) { return test_name(param.param.name); });

}  // namespace
}  // namespace dg::simulation
