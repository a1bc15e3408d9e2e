#include "domain/run.hpp"

#include "domain/names.hpp"

namespace dg::domain {
namespace {

constexpr Names<RunState, 7> states{{{RunState::queued, "queued"},
                                     {RunState::in_progress, "in_progress"},
                                     {RunState::requires_action, "requires_action"},
                                     {RunState::completed, "completed"},
                                     {RunState::failed, "failed"},
                                     {RunState::cancelled, "cancelled"},
                                     {RunState::timed_out, "timed_out"}}};
constexpr Names<MultitaskStrategy, 4> strategies{{{MultitaskStrategy::reject, "reject"},
                                                  {MultitaskStrategy::enqueue, "enqueue"},
                                                  {MultitaskStrategy::interrupt, "interrupt"},
                                                  {MultitaskStrategy::rollback, "rollback"}}};
constexpr Names<CancelAction, 4> actions{{{CancelAction::none, "none"},
                                          {CancelAction::interrupt, "interrupt"},
                                          {CancelAction::rollback, "rollback"},
                                          {CancelAction::time_out, "timeout"}}};
constexpr Names<Durability, 3> durabilities{
    {{Durability::sync, "sync"}, {Durability::async, "async"}, {Durability::exit, "exit"}}};

// One overload for each event says what it changes.
struct Evolve {
  Run& run;
  WallTime at;

  void operator()(const RunCreated& e) const {
    run.thread_id = e.thread_id;
    run.assistant_id = e.assistant_id;
    run.graph_id = e.graph_id;
    run.request = e.request;
    run.metadata = e.metadata;
    run.not_before = e.not_before;
    run.owner = e.owner;
    run.created_at = at;
    run.state = RunState::queued;
  }
  void operator()(const RunStarted& e) const {
    run.state = RunState::in_progress;
    run.session_id = e.session_id;
    run.revision = e.revision;
    run.epoch = e.epoch;
    run.attempt = e.attempt;
  }
  void operator()(const CheckpointSaved&) const { run.has_checkpoint = true; }
  void operator()(const RunRequiresAction&) const { run.state = RunState::requires_action; }
  void operator()(const RunCancelRequested& e) const { run.cancel = e.action; }
  void operator()(const RunCompleted& e) const {
    run.state = RunState::completed;
    run.resumed_by = e.resumed_by;
  }
  void operator()(const RunFailed& e) const {
    run.state = RunState::failed;
    run.error = e.error;
  }
  void operator()(const RunCancelled&) const { run.state = RunState::cancelled; }
  void operator()(const RunTimedOut& e) const {
    run.state = RunState::timed_out;
    run.error = RunError{"TimeoutError", e.message};
  }
  void operator()(const LeaseExpired& e) const {
    run.state = RunState::queued;
    run.epoch = e.epoch;
    run.not_before = e.not_before;
    run.session_id.clear();
  }
  void operator()(const RunDeleted&) const {}
};

}  // namespace

std::string_view to_string(RunState state) {
  return name_of(states, state);
}
std::string_view to_string(MultitaskStrategy strategy) {
  return name_of(strategies, strategy);
}
std::string_view to_string(CancelAction action) {
  return name_of(actions, action);
}
std::string_view to_string(Durability durability) {
  return name_of(durabilities, durability);
}
std::optional<RunState> run_state_from(std::string_view text) {
  return value_of(states, text);
}
std::optional<MultitaskStrategy> multitask_from(std::string_view text) {
  return value_of(strategies, text);
}
std::optional<CancelAction> cancel_action_from(std::string_view text) {
  return value_of(actions, text);
}
std::optional<Durability> durability_from(std::string_view text) {
  return value_of(durabilities, text);
}

bool is_terminal(RunState state) {
  return state == RunState::completed || state == RunState::failed || state == RunState::cancelled ||
         state == RunState::timed_out;
}

bool is_active(RunState state) {
  return state == RunState::queued || state == RunState::in_progress;
}

Run evolve(Run run, const RunEvent& event, WallTime at) {
  std::visit(Evolve{run, at}, event);
  ++run.version;
  // A checkpoint is news of the thread: its run's row is not written again for each of them.
  if (!std::holds_alternative<CheckpointSaved>(event)) run.updated_at = at;
  return run;
}

}  // namespace dg::domain
