// Planted bugs: each is what a mistake in the product would do, seen at one of its ports. The product
// itself runs unchanged.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "app/worker_port.hpp"
#include "base/async.hpp"
#include "bus/bus.hpp"
#include "simulation/store/store.hpp"

namespace dg::simulation {

class Broker;
class Database;

enum class Bug {
  none,
  // what the server hears
  epochs_not_checked,  // whoever speaks for a run is taken for its owner
  // the store
  numbers_not_checked,   // a fence lets repeated and skipped numbers through
  answers_before_flush,  // a commit is answered while it is still being written
  frames_before_commit,  // frames are given to readers while they are still being written
  commits_in_halves,     // events and changes are two transactions
  lease_left_behind,     // the end of a run does not drop its lease
  versions_not_checked,  // decisions on what somebody else changed meanwhile are accepted
  two_owners,            // a lease is given although another owner holds the thread
  reads_lag,             // a read misses what was answered before it
  cancel_lost,           // a cancel is answered and not written
  // the leader
  runs_without_end,  // a run that takes too long is left alone
  runs_ended_early,  // it is told to stop before its time is over
  // wake-ups
  reader_forgotten,      // some wake-ups of readers are lost
  dispatcher_forgotten,  // some wake-ups of the dispatcher are lost
  timer_forgotten,       // some timers never ring
  // workers and supervisors
  stopped_worker_beats,  // a supervisor speaks for a process that is stopped
  numbers_repeated,      // a worker counts anew after a reconnect
  step_repeated,         // a worker begins a further attempt at the first step
  // several instances: the store
  connection_not_checked,  // what is said of a session holds wherever it is connected by now
  fence_ignored,           // messages are applied whoever owns the run
  heads_not_locked,        // a commit is judged when it is handed over, and not when it is written
  outcome_forgotten,       // a commit whose answer was lost is taken for one that did not happen
  claims_kept,             // what an instance was about to start once stays locked for others
  own_clocks,              // instances have their machines' times, not the database's
  // and the bus
  frames_without_numbers,  // frames of another instance are taken for the next ones
  nobody_catches_up,  // what was missed before a subscription holds, or without a connection, stays missed
};

struct PlantedBug {
  Bug bug;
  std::string_view name;
  std::uint64_t
      within_seeds;  // it is found by one of that many first seeds, mostly by one of the first tenth
};
const std::vector<PlantedBug>& planted_bugs();

// What a worker says about a run or operation, as it reaches the server.
app::OwnerMessage heard(Bug bug, const Tables& tables, app::OwnerMessage message);
// What goes on where several processes meet.
void spoil(Bug bug, Database& database, Broker& broker);
std::unique_ptr<SimulatedStore> make_store(Bug bug, Env env, Disk& disk, DatabaseLink* link);
std::unique_ptr<bus::Bus> make_bus(Bug bug, std::uint64_t seed, std::unique_ptr<bus::Bus> bus);
std::unique_ptr<Timers> make_timers(Bug bug, Timers& timers, std::uint64_t seed);

}  // namespace dg::simulation
