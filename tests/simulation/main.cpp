// duragraph_simulate [--seeds N] [--first K] | --trace SEED [--bug B]
// Lives through so many seeds and explains those that break a guarantee, or tells what happens in one.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "simulation/world/world.hpp"

namespace {

using namespace dg::simulation;

constexpr int explained = 3;  // failures; after those it stops

std::uint64_t option(int argc, char** argv, std::string_view name, std::uint64_t otherwise) {
  for (int i = 1; i + 1 < argc; ++i)
    if (argv[i] == name) return std::strtoull(argv[i + 1], nullptr, 10);
  return otherwise;
}

int trace(std::uint64_t seed, Bug bug) {
  const auto scenario = make_scenario(seed);
  const auto outcome = World(scenario, bug, [](const std::string& line) { std::cout << line << '\n'; }).run();
  std::cout << describe(scenario) << '\n';
  if (outcome.violation)
    std::cout << outcome.violation->guarantee << " is broken: " << outcome.violation->text << '\n';
  std::cout << outcome.steps << " steps, " << outcome.runs << " runs\n";
  return outcome.violation ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto bug = static_cast<Bug>(option(argc, argv, "--bug", 0));
  if (const auto seed = option(argc, argv, "--trace", 0)) return trace(seed, bug);
  const auto first = option(argc, argv, "--first", 1);
  const auto end = first + option(argc, argv, "--seeds", 1000);
  std::uint64_t seed = first, steps = 0, lives = 0;
  std::size_t runs = 0;
  int failed = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (; seed < end && failed < explained; ++seed) {
    const auto scenario = make_scenario(seed);
    const auto outcome = simulate(scenario, bug);
    steps += outcome.steps;
    lives += outcome.server_lives;
    runs += outcome.runs;
    if (!outcome.violation) continue;
    ++failed;
    std::cout << report(scenario, bug, *outcome.violation) << std::endl;
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  std::cout << fmt::format(
      "{} seeds from {}, {} failed: {} steps, {:.0f} steps per minute; {} runs, {} lives of the server\n",
      seed - first, first, failed, steps, static_cast<double>(steps) / time.count() * 60, runs, lives);
  return failed == 0 ? 0 : 1;
}
