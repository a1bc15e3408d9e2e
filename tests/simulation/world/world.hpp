// A whole simulated world: one server that may die and start again, workers, clients and the oracle, all in
// one thread. A scenario and a bug decide everything that happens in it.
#pragma once

#include <memory>
#include <vector>

#include "simulation/world/clients.hpp"
#include "simulation/world/scenario.hpp"
#include "simulation/world/worker.hpp"

namespace dg::simulation {

struct Outcome {
  std::optional<Violation> violation;
  std::uint64_t steps = 0;
  std::uint64_t fingerprint = 0;  // of everything that became durable, with its times
  std::size_t runs = 0;
  std::uint64_t server_lives = 0;
};

class World {
 public:
  World(const Scenario& scenario, Bug bug, std::function<void(std::string)> tell = nullptr);
  ~World();
  // Lives through the scenario, then lets everything come to rest.
  Outcome run();

 private:
  // One resumption of the server or one thing outside it.
  void step();
  void perform(const Entry& entry);
  void crash(Dice dice);
  void restart(Duration delay);
  void slow_down(Dice dice);
  void heal();
  void look();
  void check_dispatch();
  void check_takeover();
  bool at_rest() const;

  Scenario scenario_;
  Stage stage_;
  Network network_;
  Disk disk_;
  Oracle oracle_;
  Server server_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Clients clients_;
  std::optional<std::uint64_t> crash_in_;  // resumptions of the server
  bool crash_lands_ = false;
  Duration down_for_{};
  SteadyTime slow_until_{}, broken_until_{};
  std::uint64_t fingerprint_ = 0, lives_ = 0;
  std::map<std::string, int> overdue_;  // looks at which the run might have been given out
};

Outcome simulate(const Scenario& scenario, Bug bug = Bug::none);
// Leaves entries out for as long as the same guarantee stays broken, within a number of trials.
Scenario shrink(const Scenario& scenario, Bug bug, const Violation& violation, int trials = 200);
// What somebody needs to know about a failure: the seed, the step, the guarantee and the shrunk scenario.
std::string report(const Scenario& scenario, Bug bug, const Violation& violation);

}  // namespace dg::simulation
