// What happens in a simulated world and when, made up front from a seed: the commands of clients and the
// faults. A failing scenario is shrunk by leaving entries out.
#pragma once

#include <string>
#include <vector>

#include "simulation/world/stage.hpp"

namespace dg::simulation {

enum class Act {
  // of clients
  create,
  create_many,
  resume,
  fork,
  cancel,
  cancel_thread,
  remove_run,
  remove_thread,
  copy_thread,
  patch_thread,
  update_state,
  look_at_run,
  follow,
  // faults
  crash_server,
  kill_worker,
  kill_supervisor,
  orphan_worker,
  stop_worker,
  drain_worker,
  cut_worker,
  cut_clients,
  stall_network,
  slow_disk,
  broken_disk,
  // faults among several instances
  replace_server,
  stop_server,
  cut_database,
  restart_database,
  cut_broker,
  lose_broker,
};
std::string_view name_of(Act act);

struct Entry {
  Duration at{};
  Act act{};
  std::uint64_t dice = 0;  // decides the details
};

struct Scenario {
  std::uint64_t seed = 0;
  int instances = 1;
  int workers = 1;
  int threads = 1;
  std::vector<Entry> entries;  // in the order of their times
};

Scenario make_scenario(std::uint64_t seed);
std::string describe(const Scenario& scenario);

}  // namespace dg::simulation
