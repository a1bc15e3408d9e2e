// A whole simulated world: one server, or several that share a database, workers, clients and the oracle, all
// in one thread. A scenario and a bug decide everything that happens in it.
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
  void add_servers(Bug bug);
  Server* runs_one();
  void crash(Server& server, Dice dice);
  void restart(Server& server, Duration delay);
  void disturb_server(Act act, Dice dice);
  void slow_down(Dice dice);
  void heal();
  void look();
  void check_dispatch();
  void check_takeover();
  void check_sessions();
  bool at_rest() const;
  bool rests();

  Scenario scenario_;
  Stage stage_;
  Network network_;
  Disk disk_;
  Oracle oracle_;
  Database database_;
  Broker broker_;
  Fleet fleet_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Clients clients_;
  struct Crash {
    std::uint64_t in = 0;  // resumptions of the server
    bool lands = false;
    Duration down{};
  };
  std::map<Server*, Crash> crashes_;
  SteadyTime slow_until_{}, broken_until_{};
  std::optional<SteadyTime> rests_since_;
  std::uint64_t fingerprint_ = 0, lives_ = 0;
  std::map<std::string, int> overdue_;  // looks at which the run might have been given out
};

Outcome simulate(const Scenario& scenario, Bug bug = Bug::none);
// Leaves entries out for as long as the same guarantee stays broken, within a number of trials.
Scenario shrink(const Scenario& scenario, Bug bug, const Violation& violation, int trials = 200);
// What somebody needs to know about a failure: the seed, the step, the guarantee and the shrunk scenario.
std::string report(const Scenario& scenario, Bug bug, const Violation& violation);

}  // namespace dg::simulation
