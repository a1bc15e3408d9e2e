// What every use case needs. One context belongs to one event loop; nothing in it is thread-safe.
#pragma once

#include <string>

#include "base/env.hpp"
#include "base/trace.hpp"
#include "bus/bus.hpp"
#include "store/store.hpp"

namespace dg::app {

// Times that the design fixes; tests and the simulation may shorten them.
struct Settings {
  Duration heartbeat = std::chrono::seconds(2);
  Duration lease = std::chrono::seconds(10);           // without a heartbeat
  Duration reconnect_grace = std::chrono::seconds(2);  // after a closed connection
  Duration cancel_grace = std::chrono::seconds(5);     // for a worker to stop a run
  Duration run_timeout = std::chrono::hours(1);        // of one attempt at a run
  Duration operation = std::chrono::seconds(30);       // a thread's lease outside a run
  Duration worker_wait = std::chrono::seconds(30);     // a request's wait for a worker
  Duration frames_kept = std::chrono::minutes(2);      // after the end of a run
  Duration resumable_frames_kept = std::chrono::hours(24);
  Duration safety_net = std::chrono::seconds(5);  // sweeps for wake-ups that were lost
  std::int64_t recursion_limit = 25;
};

// How soon what must happen is tried again when the database failed.
inline constexpr Duration retry_pause = std::chrono::seconds(1);

struct Context {
  Env env;
  store::Store& store;
  bus::Bus& bus;
  Settings settings;
  std::string instance;      // this process's id
  std::string version;       // of the program
  Tracer* tracer = nullptr;  // null: no spans are recorded
};

}  // namespace dg::app
