// The run: one execution of a graph for a request, owned by one worker at a time.
//
// decide functions take the state and a command and give the events that follow, or why not;
// evolve gives the state after an event. Both are pure: time and ids come in from outside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/env.hpp"
#include "base/result.hpp"

namespace dg::domain {

enum class RunState { queued, in_progress, requires_action, completed, failed, cancelled, timed_out };
enum class MultitaskStrategy { reject, enqueue, interrupt, rollback };
enum class CancelAction { none, interrupt, rollback, time_out };
enum class Durability { sync, async, exit };

std::string_view to_string(RunState state);
std::string_view to_string(MultitaskStrategy strategy);
std::string_view to_string(CancelAction action);
std::string_view to_string(Durability durability);
std::optional<RunState> run_state_from(std::string_view text);
std::optional<MultitaskStrategy> multitask_from(std::string_view text);
std::optional<CancelAction> cancel_action_from(std::string_view text);
std::optional<Durability> durability_from(std::string_view text);

// Over: nothing happens to the run any more. A paused run is not over, but it is not active either.
bool is_terminal(RunState state);
// It makes its thread busy.
bool is_active(RunState state);

// A request after defaults and merging, as the worker will get it. JSON fields are text.
struct RunRequest {
  std::string input = "null";
  std::string command = "null";  // object with update, resume, goto; null for none
  std::string config = "{}";     // what the graph sees, with configurable and metadata
  std::string context = "null";
  std::string interrupt_before = "null";  // null, "*" or a list of nodes
  std::string interrupt_after = "null";
  std::vector<std::string> stream_modes{"values"};
  bool stream_subgraphs = false;
  bool stream_resumable = false;
  bool cancel_on_disconnect = false;
  bool temporary = false;  // its thread is deleted when it is over
  // The trace that its attempts continue, as W3C's headers have it; empty: none.
  std::string traceparent{};
  std::string tracestate{};
  MultitaskStrategy multitask = MultitaskStrategy::enqueue;
  Durability durability = Durability::async;

  std::string to_json() const;
  static RunRequest from_json(std::string_view json);
};

struct RunError {
  std::string error;  // class name
  std::string message;
};

struct Run {
  std::string id;
  std::string thread_id;
  std::string assistant_id;
  std::string graph_id;
  RunState state = RunState::queued;
  RunRequest request;
  std::string metadata = "{}";
  WallTime created_at{};
  WallTime updated_at{};
  WallTime not_before{};     // queued until then: a delay asked for, or a retry's backoff
  std::int64_t epoch = 0;    // of its newest owner
  std::int64_t attempt = 0;  // how many owners it had; 1 for the first
  std::string session_id;    // of its newest owner
  std::string revision;      // of that owner's code
  CancelAction cancel = CancelAction::none;
  bool has_checkpoint =
      false;  // it saved one of its own, so a further attempt continues from the thread's head
  std::optional<RunError> error;
  std::string resumed_by;              // the run that went on where this one had paused
  std::int64_t version = 0;            // of the aggregate
  std::optional<std::string> owner{};  // its thread's
};

struct RunCreated {
  std::string thread_id;
  std::string assistant_id;
  std::string graph_id;
  RunRequest request;
  std::string metadata = "{}";
  WallTime not_before{};
  std::optional<std::string> owner{};
};
struct RunStarted {
  std::string session_id;
  std::string worker;
  std::string revision;
  std::int64_t epoch = 0;
  std::int64_t attempt = 0;
};
struct CheckpointSaved {
  std::string checkpoint_id;
  std::string ns;
  std::string revision;
};
struct RunRequiresAction {};
struct RunCancelRequested {
  CancelAction action = CancelAction::interrupt;
};
struct RunCompleted {
  std::string resumed_by;  // empty unless it had paused
};
struct RunFailed {
  RunError error;
};
struct RunCancelled {};
struct RunTimedOut {
  std::string message;
};
// Its owner is gone or was fenced off; the run is queued again.
struct LeaseExpired {
  std::string session_id;
  std::string reason;
  std::int64_t epoch = 0;  // the new one, which fences the old owner
  WallTime not_before{};   // the backoff
};
// The tombstone: the run's row, frames and checkpoints go with it.
struct RunDeleted {
  std::string reason;
};

using RunEvent = std::variant<RunCreated, RunStarted, CheckpointSaved, RunRequiresAction, RunCancelRequested,
                              RunCompleted, RunFailed, RunCancelled, RunTimedOut, LeaseExpired, RunDeleted>;

std::string_view type_of(const RunEvent& event);
std::string payload_of(const RunEvent& event);
// Reads back what payload_of wrote. Errc::internal for a type or payload of no known form.
Result<RunEvent> run_event_from(std::string_view type, std::string_view payload);

// `run` with the id set and nothing else is the state before RunCreated.
Run evolve(Run run, const RunEvent& event, WallTime at);

// How often a run may lose its owner, and how long it waits before the next attempt.
inline constexpr std::int64_t max_attempts = 5;
std::chrono::milliseconds retry_backoff(std::int64_t attempts_so_far);

// --- decisions -----------------------------------------------------------------------------
using RunEvents = Result<std::vector<RunEvent>>;

// A worker takes the run. busy unless it is queued and due.
RunEvents decide_start(const Run& run, const RunStarted& owner, WallTime now);
// The owner says how it ended. superseded unless it is in progress with that epoch.
RunEvents decide_complete(const Run& run, std::int64_t epoch);
RunEvents decide_pause(const Run& run, std::int64_t epoch);
RunEvents decide_fail(const Run& run, std::int64_t epoch, RunError error);
// The owner has stopped after a cancel or at the end of the run's time, or is fenced off because it did not.
RunEvents decide_cancelled(const Run& run);
// Its time is over: it is asked to stop, unless it is not in progress or was asked already.
RunEvents decide_time_out(const Run& run);
// A client asks to cancel. A queued or paused run is cancelled at once; a running one is asked to
// stop. Nothing happens to one that is over or was asked already.
RunEvents decide_cancel(const Run& run, CancelAction action);
// The owner is lost: the run is queued again, cancelled where that was asked, or failed after the
// last attempt.
RunEvents decide_lose_owner(const Run& run, std::string_view reason, WallTime now);
// A newer run went on from where this one paused.
RunEvents decide_resumed_by(const Run& run, std::string_view other);
// busy while it is active.
RunEvents decide_delete(const Run& run, std::string_view reason);

}  // namespace dg::domain
