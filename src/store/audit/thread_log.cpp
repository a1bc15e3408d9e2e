#include "store/audit/thread_log.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "store/audit/folds.hpp"

namespace dg::store::audit {

ThreadLog::ThreadLog(std::string id, std::int64_t seq, Findings& findings)
    : id_(std::move(id)), seq_(seq), findings_(findings) {
  thread_.id = id_;
}

void ThreadLog::take(const StoredEvent& event) {
  take_place(event.seq, event.type, event.aggregate_id);
  if (event.aggregate == "thread") take_thread_event(event);
  if (event.aggregate == "run") take_run_event(event);
  newest_ = std::max(newest_, event.at);
}

void ThreadLog::take_place(std::int64_t place, std::string_view what, const std::string& owner) {
  const bool given_out = place >= 1 && place <= seq_;
  const bool taken = places_.holds(place, place + 1);
  if (given_out) places_.add(place, place + 1);
  if (given_out && !taken) return;
  const auto why = given_out ? std::string("is taken already")
                             : fmt::format("the log, which ends at {}, never gave out", seq_);
  findings_.add("log-place", {{"thread", id_}, {"seq", std::to_string(place)}},
                fmt::format("{} of {} has a place that {}", what, owner, why));
}

void ThreadLog::take_thread_event(const StoredEvent& event) {
  const auto fact = domain::thread_event_from(event.type, event.payload);
  if (!fact) {
    readable_ = false;
    return refuse_event(findings_, event, fact.error());
  }
  const bool created = std::holds_alternative<domain::ThreadCreated>(*fact) ||
                       std::holds_alternative<domain::ThreadCopied>(*fact);
  if (created == exists_)
    findings_.add(
        "event-impossible", {{"thread", id_}, {"version", std::to_string(event.version)}},
        event.type + " cannot come here: the thread " + (exists_ ? "exists already" : "does not exist"));
  if (created) {
    thread_ = {};
    thread_.id = id_;
    newest_ = state_at_ = event.at;
    exists_ = true;
  }
  thread_ = domain::evolve(std::move(thread_), *fact, event.at);
  if (const auto* const updated = std::get_if<domain::ThreadStateUpdated>(&*fact))
    note_state(updated->ns, event.at);
  if (!std::holds_alternative<domain::ThreadDeleted>(*fact)) return;
  exists_ = false;
  ++turn_;
  forget_runs();
}

void ThreadLog::take_run_event(const StoredEvent& event) {
  ++turn_;
  // The request is left out of logs; nothing here depends on it.
  const bool created = event.type == "RunCreated";
  const auto fact = created ? Result<domain::RunEvent>(domain::RunCreated{})
                            : domain::run_event_from(event.type, event.payload);
  if (!fact) {
    readable_ = false;  // said where the run's own events are read
    return;
  }
  auto& [run, erased] = runs_[event.aggregate_id];
  run.id = event.aggregate_id;
  run = domain::evolve(std::move(run), *fact, event.at);
  erased = event.erased;
  if (const auto* const saved = std::get_if<domain::CheckpointSaved>(&*fact)) note_state(saved->ns, event.at);
  if (!std::holds_alternative<domain::RunDeleted>(*fact)) return;
  check_erased(run.id, erased, true);
  runs_.erase(event.aggregate_id);
  complete_ = false;
}

void ThreadLog::note_state(const std::string& ns, WallTime at) {
  if (ns.empty()) state_at_ = std::max(state_at_, at);
}

void ThreadLog::forget_runs() {
  for (const auto& [run_id, run] : runs_) check_erased(run_id, run.erased, true);
  if (!runs_.empty()) complete_ = false;
  runs_.clear();
}

void ThreadLog::check_runs() const {
  for (const auto& [run_id, run] : runs_) check_erased(run_id, run.erased, false);
}

void ThreadLog::check_erased(const std::string& run_id, bool says, bool is) const {
  if (says == is) return;
  findings_.add("head-wrong", {{"run", run_id}, {"thread", id_}},
                is ? "it was deleted, and its head does not say so"
                   : "its head says that it was erased, the log of its thread does not");
}

ThreadFacts ThreadLog::facts(bool operation, bool unvisited_nodes) const {
  ThreadFacts out{.thread = thread_, .state_updated_at = state_at_};
  out.thread.updated_at = newest_;
  domain::ThreadActivity activity{.operation = operation, .unvisited_nodes = unvisited_nodes};
  for (const auto& [run_id, run] : runs_) activity.active_run |= domain::is_active(run.run.state);
  if (!runs_.empty()) {
    const auto& newest = runs_.rbegin()->second.run;
    activity.newest_run_failed =
        newest.state == domain::RunState::failed || newest.state == domain::RunState::timed_out;
    if (activity.newest_run_failed) out.error = newest.error;
  }
  out.status = domain::status_of(activity);
  return out;
}

}  // namespace dg::store::audit
