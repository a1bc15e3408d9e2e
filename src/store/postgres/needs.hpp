// What a transaction has to know before it can judge and apply commits: found in their parts, so that all of
// it is locked and read in one round trip.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "store/delta/series.hpp"
#include "store/store.hpp"

namespace dg::store::postgres {

using HeadKey = std::pair<std::string, domain::AggregateType>;
using CheckpointPlace = std::tuple<std::string, std::string, std::string>;  // thread, namespace, checkpoint
using TaskPlace = std::tuple<std::string, std::string, std::string, std::string>;
using ValuePlace = std::tuple<std::string, std::string, std::string, std::string>;  // ..., channel, version

inline CheckpointPlace place_of(const CheckpointKey& key) {
  return {key.thread_id, key.ns, key.checkpoint_id};
}

struct Needs {
  // To be locked, and made where they are not there yet.
  std::set<HeadKey> heads;
  // Of those, what is to be created: nobody is expected to have it, so it is not made in order to be locked.
  std::set<HeadKey> created;
  // Of owners, and of runs that are erased with all that they wrote: the threads concerned are locked too.
  std::set<std::string> owners;
  std::set<std::string> erased_runs;
  // Threads that are erased with their runs, whose heads are locked too.
  std::set<std::string> erased_threads;
  // Of workers, whose rows are locked too, after the heads.
  std::set<std::string> sessions;
  // Threads of which it matters who holds them.
  std::set<std::string> held_threads;
  // Runs that frames are appended to, with how often, or that end.
  struct Stream {
    std::int64_t appends = 0;
    bool ends = false;
  };
  using Streams = std::map<std::string, Stream>;
  Streams streams;
  std::set<CheckpointPlace> checkpoints;
  std::set<TaskPlace> patches;
  std::set<ValuePlace> large_values;
  std::set<delta::SeriesKey> series;
  // Threads of which it matters whether they have a checkpoint.
  std::set<std::string> checkpointed;

  void add(const Commit& commit);
};

// Whether the change reads what earlier changes of its transaction wrote, so that it cannot share one with
// the commits of others.
bool is_alone(const Change& change);

// The namespace of the state in a frame, where large members of it are stored apart.
std::optional<std::string> namespace_of_values(const AppendFrames& change, const Frame& frame);
}  // namespace dg::store::postgres
