// What is measured of runs.
#pragma once

#include <array>
#include <map>

#include "base/metrics.hpp"
#include "domain/run.hpp"

namespace dg::app {

class RunMeters {
 public:
  explicit RunMeters(Metrics& registry);

  // How an attempt stood before the decision that may end it.
  struct Attempt {
    bool running = false;
    bool cancelled = false;  // somebody asked for its end
    WallTime began{};
  };
  static Attempt attempt_of(const domain::Run& run);

  // Accepted, and durable.
  void created() { created_.add(); }
  // Given to a worker at `at`; it could have been since `due`.
  void started(WallTime due, WallTime at);
  // It is over, for good or until somebody resumes it.
  void ended(const domain::Run& run);
  void ended(domain::RunState state);
  // What was an attempt is none any more. How long one took that was cancelled says nothing of the graph.
  void left(const Attempt& attempt, const domain::Run& run);
  // Its worker was gone.
  void lost() { lost_.add(); }
  // The dispatcher found work that nobody had woken it for.
  void caught(int runs) { caught_.add(runs); }
  // A sweep of retention ended: at `at`, or without success.
  void swept(WallTime at);
  void sweep_failed() { sweep_failures_.add(); }

 private:
  Counter& created_;
  Counter& started_;
  Counter& lost_;
  Counter& caught_;
  Counter& sweep_failures_;
  Gauge& swept_at_;
  Histogram& queue_seconds_;
  Histogram& attempt_seconds_;
  Histogram& run_seconds_;
  std::map<domain::RunState, Counter*> ended_;
};

}  // namespace dg::app
