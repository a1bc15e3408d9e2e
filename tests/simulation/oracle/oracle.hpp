// Watches everything that becomes durable, and everything that clients and workers are told, and says at
// once when one of the guarantees does not hold:
//   G1  an acknowledged run is never lost, and goes on or is over
//   G2  no step is committed twice; what a worker was told is committed is there
//   G3  an owner with an old epoch changes nothing, and nobody acts for a run without owning it
//   G4  versions have no gaps, states follow from the events, and rows are what the events say
//   G5  readers get exactly the stored frames, each after it is durable
//   G6  after a cancel no new step begins, and the thread does not stay busy
//   G7  a run that takes too long is ended, and none before its time
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/worker_port.hpp"
#include "simulation/store/tables.hpp"
#include "simulation/world/stage.hpp"

namespace dg::simulation {

// How long an attempt at a run may take in this world.
inline constexpr auto time_of_runs = seconds(45);

using OwnerKey = std::pair<std::string, std::int64_t>;  // owner, epoch

class Oracle {
 public:
  Oracle(Stage& stage, const Tables& tables) : stage_(stage), tables_(tables) {}

  // --- the store: a commit has just become durable
  void committed(const Commit& commit, const Committed& result);

  // --- workers
  // A worker gives message `n` of an owner that content. `complete`: it says how the run ends.
  void said(const OwnerKey& owner, std::int64_t n, std::int64_t serial, bool complete);
  // It is told that everything to `n` is durable.
  void told_applied(const OwnerKey& owner, std::int64_t n);

  // --- clients
  void told_created(const std::string& run_id, const std::string& tag);
  void told_cancelled(const std::string& run_id);
  void told_over(const std::string& run_id);     // by join or wait
  void told_missing(const std::string& run_id);  // "Run not found"
  void told_frame(const std::string& run_id, std::int64_t expected, std::int64_t number, const Frame& frame);
  void told_end(const std::string& run_id, std::int64_t next);

  // Whether a run goes on longer than it may. `calm`: for how long nothing has gone wrong.
  void check_times(WallTime now, Duration calm);
  // When nothing has happened to anybody for a while.
  void check_at_rest();

  bool erased(const std::string& run_id) const;
  bool active(const std::string& run_id) const;
  std::int64_t frame_count(const std::string& run_id) const;

 private:
  struct Run {
    domain::Run now;  // as its events say
    WallTime started_at{};
    bool created = false, erased = false, frames_erased = false, acknowledged = false;
    std::vector<Frame> frames;
    std::optional<std::int64_t> last_step;  // committed
    std::set<std::string> written_tasks;
  };
  struct Owner {
    std::map<std::int64_t, std::int64_t> said;     // n -> serial of what the worker last said as n
    std::map<std::int64_t, std::int64_t> applied;  // the same, durable
    std::int64_t complete_n = 0;
  };
  // What a worker's content says of itself.
  struct Tag {
    std::int64_t epoch = 0, n = 0, serial = 0, step = -1;
  };

  void append(const Append& append);
  void event(Run& run, const domain::RunEvent& event, WallTime at);
  void started(const Run& run, const domain::RunStarted& event);
  void ended(const Run& run, const domain::RunEvent& event);
  void apply(const Change& change);
  void applied(const std::string& owner, const Tag& tag);
  void step(const std::string& run_id, const std::string& thread_id, const Tag& tag);
  void add_frames(const AppendFrames& change, std::int64_t first);
  void erase_run(const std::string& id);
  void check_rows(const std::set<std::string>& touched);
  void check_numbers();
  void move_leases(const Commit& commit);
  static Tag tag_of(std::string_view json);

  Stage& stage_;
  const Tables& tables_;
  std::map<std::string, Run> runs_;
  std::map<std::string, std::int64_t> versions_;       // by aggregate
  std::map<std::string, std::set<std::string>> open_;  // active runs by thread
  std::map<std::string, Lease> leases_;                // by owner, as before the commit at hand
  std::map<OwnerKey, Owner> owners_;
  std::map<std::string, std::string> tags_;                        // run by the tag of its request
  std::map<OwnerKey, std::map<std::int64_t, std::int64_t>> news_;  // numbers of the commit at hand
  std::vector<OwnerKey> completed_;                                // by the commit at hand
};

}  // namespace dg::simulation
