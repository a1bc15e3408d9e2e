#include "app/run_meters.hpp"

#include <algorithm>
#include <vector>

namespace dg::app {
namespace {

using domain::RunState;

double seconds_between(WallTime begin, WallTime end) {
  return std::max(0.0, std::chrono::duration<double>(end - begin).count());
}

// From a graph without a model to one that works for an hour.
const std::vector<double> bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,    2.5,
                                 5,     10,   30,    60,   120, 300,  600, 1800, 3600};

}  // namespace

RunMeters::RunMeters(Metrics& registry)
    : created_(registry.counter("duragraph_runs_created_total", "Runs accepted")),
      started_(
          registry.counter("duragraph_runs_started_total", "Leases given to workers, one for each attempt")),
      lost_(registry.counter("duragraph_leases_lost_total", "Leases taken from workers that were gone")),
      caught_(registry.counter("duragraph_safety_net_total",
                               "Runs that a sweep found and nobody had been woken for; each is a bug",
                               {{"net", "dispatch"}})),
      sweep_failures_(registry.counter("duragraph_retention_failures_total",
                                       "Sweeps of old frames and temporary threads that failed")),
      swept_at_(registry.gauge("duragraph_retention_last_success_timestamp_seconds",
                               "When old frames and temporary threads were last cleared away")),
      queue_seconds_(registry.histogram("duragraph_run_queue_seconds",
                                        "From when an attempt could begin to when a worker was given it", {},
                                        bounds)),
      attempt_seconds_(registry.histogram("duragraph_run_attempt_seconds",
                                          "Time that workers had runs, by attempt", {}, bounds)),
      run_seconds_(
          registry.histogram("duragraph_run_seconds", "From a run's acceptance to its end", {}, bounds)) {
  for (const auto state : {RunState::completed, RunState::failed, RunState::cancelled, RunState::timed_out,
                           RunState::requires_action})
    ended_[state] = &registry.counter("duragraph_runs_ended_total", "Runs that ended or paused, by state",
                                      {{"state", std::string(to_string(state))}});
}

RunMeters::Attempt RunMeters::attempt_of(const domain::Run& run) {
  return {run.state == RunState::in_progress, run.cancel != domain::CancelAction::none, run.updated_at};
}

void RunMeters::started(WallTime due, WallTime at) {
  started_.add();
  queue_seconds_.observe(seconds_between(due, at));
}

void RunMeters::ended(RunState state) {
  if (const auto found = ended_.find(state); found != ended_.end()) found->second->add();
}

void RunMeters::ended(const domain::Run& run) {
  ended(run.state);
  run_seconds_.observe(seconds_between(run.created_at, run.updated_at));
}

void RunMeters::left(const Attempt& attempt, const domain::Run& run) {
  if (attempt.running && !attempt.cancelled)
    attempt_seconds_.observe(seconds_between(attempt.began, run.updated_at));
  if (run.state == RunState::requires_action) ended(run);
}

void RunMeters::swept(WallTime at) {
  swept_at_.set(std::chrono::duration<double>(at.time_since_epoch()).count());
}

}  // namespace dg::app
