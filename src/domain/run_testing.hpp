// Comparing runs and their events in tests. The structured bindings name every field, so that a new
// field does not compile until it is compared too.
#pragma once

#include <tuple>
#include <vector>

#include "domain/run.hpp"

namespace dg::domain::testing {

inline auto fields_of(const RunRequest& request) {
  const auto& [input, command, config, context, before, after, modes, subgraphs, resumable, disconnect,
               temporary, traceparent, tracestate, multitask, durability] = request;
  return std::tuple(input, command, config, context, before, after, modes, subgraphs, resumable, disconnect,
                    temporary, traceparent, tracestate, multitask, durability);
}

inline auto fields_of(const std::optional<RunError>& failure) {
  if (!failure) return std::tuple(std::string("none"), std::string());
  const auto& [error, message] = *failure;
  return std::tuple(error, message);
}

inline auto fields_of(const Run& run) {
  const auto& [id, thread, assistant, graph, state, request, metadata, created, updated, not_before, epoch,
               attempt, session, revision, cancel, has_checkpoint, error, resumed_by, version, owner] = run;
  return std::tuple(id, thread, assistant, graph, state, fields_of(request), metadata, created, updated,
                    not_before, epoch, attempt, session, revision, cancel, has_checkpoint, fields_of(error),
                    resumed_by, version, owner);
}

inline auto fields_of(const RunCreated& e) {
  const auto& [thread, assistant, graph, request, metadata, not_before, owner] = e;
  return std::tuple(thread, assistant, graph, fields_of(request), metadata, not_before, owner);
}
inline auto fields_of(const RunStarted& e) {
  const auto& [session, worker, revision, epoch, attempt] = e;
  return std::tuple(session, worker, revision, epoch, attempt);
}
inline auto fields_of(const CheckpointSaved& e) {
  const auto& [checkpoint, ns, revision] = e;
  return std::tuple(checkpoint, ns, revision);
}
inline auto fields_of(const RunRequiresAction&) {
  return std::tuple();
}
inline auto fields_of(const RunCancelRequested& e) {
  const auto& [action] = e;
  return std::tuple(action);
}
inline auto fields_of(const RunCompleted& e) {
  const auto& [resumed_by] = e;
  return std::tuple(resumed_by);
}
inline auto fields_of(const RunFailed& e) {
  const auto& [error] = e;
  return fields_of(std::optional(error));
}
inline auto fields_of(const RunCancelled&) {
  return std::tuple();
}
inline auto fields_of(const RunTimedOut& e) {
  const auto& [message] = e;
  return std::tuple(message);
}
inline auto fields_of(const LeaseExpired& e) {
  const auto& [session, reason, epoch, not_before] = e;
  return std::tuple(session, reason, epoch, not_before);
}
inline auto fields_of(const RunDeleted& e) {
  const auto& [reason] = e;
  return std::tuple(reason);
}

// A request in which no field has its default.
inline RunRequest full_request() {
  RunRequest request;
  request.input = R"({"messages":["Gr\u00fc\u00dfe \"x\"",1.10,12345678901234567890123]})";
  request.command = R"({"resume":{"ok":true}})";
  request.config = R"({"configurable":{"thread_id":"t"},"recursion_limit":25})";
  request.context = R"({"user":null})";
  request.interrupt_before = R"(["a","b"])";
  request.interrupt_after = R"("*")";
  request.stream_modes = {"updates", "messages-tuple"};
  request.stream_subgraphs = true;
  request.stream_resumable = true;
  request.cancel_on_disconnect = true;
  request.temporary = true;
  request.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  request.tracestate = "vendor=abc";
  request.multitask = MultitaskStrategy::rollback;
  request.durability = Durability::exit;
  return request;
}

inline Run folded(Run run, const std::vector<RunEvent>& events, WallTime at) {
  for (const auto& event : events) run = evolve(std::move(run), event, at);
  return run;
}

// A queued run.
inline Run created_run(WallTime at = from_micros(1000)) {
  Run run;
  run.id = "r1";
  return evolve(std::move(run), RunCreated{"t1", "a1", "g1", full_request(), R"({"k":1})", at, "ann"}, at);
}

// A run whose owner has the epoch 1.
inline Run running_run() {
  const auto run = created_run();
  const auto now = run.not_before;
  return folded(run, *decide_start(run, RunStarted{"s1", "w1", "rev1", 0, 0}, now), now);
}

}  // namespace dg::domain::testing
