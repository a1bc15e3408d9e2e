// The use cases, wired together. The composition root makes one for each event loop.
#pragma once

#include "app/assistants.hpp"
#include "app/context.hpp"
#include "app/health.hpp"
#include "app/leadership.hpp"
#include "app/owners.hpp"
#include "app/runs.hpp"
#include "app/streams.hpp"
#include "app/threads.hpp"
#include "app/workers.hpp"
#include "base/metrics.hpp"

namespace dg::app {

struct App {
  App(Context made_context, Metrics& made_metrics);
  ~App();
  // Reads what survived a restart and starts the loops that run for ever.
  Task<Status> start();
  // Gives the graphs that a worker brings the assistants that they lack.
  Task<void> greet(std::vector<RegisteredGraph> graphs);
  // What the leader does, while this instance is it, for ever.
  Task<void> lead();
  // Goes on with what any instance has begun and may not be there to end: cancels, operations, leases.
  Task<Status> take_up();

  Context context;
  Metrics& metrics;
  Health health;
  Leadership leadership;
  Workers workers;
  Assistants assistants;
  Streams streams;
  Runs runs;
  Owners owners;
  Threads threads;
};

}  // namespace dg::app
