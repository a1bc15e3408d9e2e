#include "simulation/world/scenario.hpp"

#include <algorithm>
#include <array>

namespace dg::simulation {
namespace {

struct Kind {
  Act act;
  std::string_view name;
  std::uint64_t weight;
};
constexpr std::array commands{
    Kind{Act::create, "create a run", 40},        Kind{Act::create_many, "create several runs", 3},
    Kind{Act::resume, "resume a thread", 10},     Kind{Act::fork, "fork from a checkpoint", 5},
    Kind{Act::cancel, "cancel a run", 16},        Kind{Act::cancel_thread, "cancel a thread's runs", 2},
    Kind{Act::remove_run, "delete a run", 3},     Kind{Act::remove_thread, "delete a thread", 1},
    Kind{Act::copy_thread, "copy a thread", 2},   Kind{Act::patch_thread, "patch a thread", 3},
    Kind{Act::update_state, "update a state", 8}, Kind{Act::look_at_run, "look at a run", 4},
    Kind{Act::follow, "follow a run", 10},
};
constexpr std::array faults{
    Kind{Act::crash_server, "the server dies", 24},
    Kind{Act::kill_worker, "a worker dies", 14},
    Kind{Act::kill_supervisor, "a worker dies with its supervisor", 5},
    Kind{Act::orphan_worker, "a supervisor dies alone", 3},
    Kind{Act::stop_worker, "a worker is stopped", 12},
    Kind{Act::drain_worker, "a worker drains", 4},
    Kind{Act::cut_worker, "a worker loses its connection", 16},
    Kind{Act::cut_clients, "clients lose their connections", 12},
    Kind{Act::stall_network, "the network stalls", 5},
    Kind{Act::slow_disk, "the disk is slow", 5},
    Kind{Act::broken_disk, "the disk does not work", 5},
};

constexpr std::array faults_of_instances{
    Kind{Act::crash_server, "the server dies", 20},
    Kind{Act::replace_server, "a server is told to end and starts again", 12},
    Kind{Act::stop_server, "a server is stopped", 20},
    Kind{Act::cut_database, "a server is cut off from the database", 14},
    Kind{Act::restart_database, "the database restarts", 6},
    Kind{Act::cut_broker, "a server is cut off from the broker", 14},
    Kind{Act::lose_broker, "the broker is away", 8},
    Kind{Act::cut_worker, "a worker loses its connection", 20},
};

template <std::size_t N>
Act choose(const std::array<Kind, N>& kinds, Dice& dice) {
  std::uint64_t sum = 0;
  for (const auto& kind : kinds) sum += kind.weight;
  auto place = dice.below(sum);
  for (const auto& kind : kinds) {
    if (place < kind.weight) return kind.act;
    place -= kind.weight;
  }
  return kinds.front().act;
}

}  // namespace

std::string_view name_of(Act act) {
  for (const auto& kind : commands)
    if (kind.act == act) return kind.name;
  for (const auto& kind : faults)
    if (kind.act == act) return kind.name;
  for (const auto& kind : faults_of_instances)
    if (kind.act == act) return kind.name;
  return "";
}

Scenario make_scenario(std::uint64_t seed) {
  Dice dice(seed);
  Scenario out;
  out.seed = seed;
  out.workers = 1 + static_cast<int>(dice.below(3));
  out.threads = 1 + static_cast<int>(dice.below(4));
  const auto length = dice.between(seconds(5), seconds(40));
  // Some things happen almost together: that is where races are.
  const auto time = [&] {
    const auto any = dice.between(milliseconds(200), length);
    if (out.entries.empty() || dice.percent(65)) return any;
    return out.entries.back().at + dice.between(Duration(0), milliseconds(4));
  };
  const auto add = [&](Act act) { out.entries.push_back({time(), act, dice.next()}); };
  for (auto left = 8 + dice.below(30); left > 0; --left) add(choose(commands, dice));
  for (auto left = dice.below(9); left > 0; --left) add(choose(faults, dice));
  // Half of the seeds are worlds of several instances.
  Dice instances(~seed);
  if (instances.percent(50)) {
    out.instances = 2 + static_cast<int>(instances.below(2));
    for (auto left = instances.below(12); left > 0; --left) add(choose(faults_of_instances, instances));
  }
  std::ranges::sort(out.entries, {}, [](const Entry& entry) { return std::pair(entry.at, entry.dice); });
  return out;
}

std::string describe(const Scenario& scenario) {
  auto text = fmt::format("{} instance(s), {} worker(s), {} thread(s)", scenario.instances, scenario.workers,
                          scenario.threads);
  for (const auto& entry : scenario.entries)
    text += fmt::format("\n  {:>10.3f} s  {} ({:016x})", static_cast<double>(entry.at.count()) / 1e6,
                        name_of(entry.act), entry.dice);
  return text;
}

}  // namespace dg::simulation
