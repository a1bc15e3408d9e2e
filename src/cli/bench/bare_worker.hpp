// A worker that executes nothing: what remains of a run is what the server does.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/system_world.hpp"
#include "net/server.hpp"

namespace dg::cli::bench {

struct BareWorkerOptions {
  std::string url;    // of an instance
  std::string token;  // of workers
  std::string graph;
  int slots = 1;
  Duration takes{};  // how long each run stays in its slot
};

// It is connected, beats, and ends each run that it is given with one checkpoint of a value of 1 kB and the
// frames of it. Destroying it cuts it off.
class BareWorker {
 public:
  // Returns when the server has welcomed it. Errors: those of ws_connect().
  static Task<Result<std::unique_ptr<BareWorker>>> connect(SystemWorld& loop, BareWorkerOptions options);
  ~BareWorker();
  BareWorker(const BareWorker&) = delete;
  BareWorker& operator=(const BareWorker&) = delete;

  // When it was given that run; timeout at the deadline. Each is told once.
  Task<Result<SteadyTime>> leased(std::string run_id, SteadyTime deadline);
  // How many it has ended.
  std::int64_t ended() const;

 private:
  struct State;
  explicit BareWorker(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace dg::cli::bench
