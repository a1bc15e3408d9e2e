// Events and requests of runs as JSON.
#include "base/json.hpp"
#include "domain/fields.hpp"
#include "domain/run.hpp"

namespace dg::domain {
namespace {

using json::View;
using json::Writer;

std::string raw_or(View object, std::string_view key, std::string_view otherwise) {
  const auto found = object.find(key);
  return std::string(found ? found->raw() : otherwise);
}

void write_error(Writer& out, const RunError& error) {
  out.key("error").string(error.error).key("message").string(error.message);
}

// One overload for each event writes the members of its payload.
struct Payload {
  Writer& out;

  void operator()(const RunCreated& e) const {
    out.key("thread_id").string(e.thread_id).key("assistant_id").string(e.assistant_id);
    out.key("graph_id").string(e.graph_id).key("request").raw(e.request.to_json());
    out.key("metadata").raw(e.metadata).key("not_before").integer(to_micros(e.not_before));
    write_owner(out, e.owner);
  }
  void operator()(const RunStarted& e) const {
    out.key("session_id")
        .string(e.session_id)
        .key("worker")
        .string(e.worker)
        .key("revision")
        .string(e.revision);
    out.key("epoch").integer(e.epoch).key("attempt").integer(e.attempt);
  }
  void operator()(const CheckpointSaved& e) const {
    out.key("checkpoint_id")
        .string(e.checkpoint_id)
        .key("ns")
        .string(e.ns)
        .key("revision")
        .string(e.revision);
  }
  void operator()(const RunRequiresAction&) const {}
  void operator()(const RunCancelRequested& e) const { out.key("action").string(to_string(e.action)); }
  void operator()(const RunCompleted& e) const {
    if (!e.resumed_by.empty()) out.key("resumed_by").string(e.resumed_by);
  }
  void operator()(const RunFailed& e) const { write_error(out, e.error); }
  void operator()(const RunCancelled&) const {}
  void operator()(const RunTimedOut& e) const { out.key("message").string(e.message); }
  void operator()(const LeaseExpired& e) const {
    out.key("session_id").string(e.session_id).key("reason").string(e.reason);
    out.key("epoch").integer(e.epoch).key("not_before").integer(to_micros(e.not_before));
  }
  void operator()(const RunDeleted& e) const { out.key("reason").string(e.reason); }
};

struct TypeName {
  std::string_view operator()(const RunCreated&) const { return "RunCreated"; }
  std::string_view operator()(const RunStarted&) const { return "RunStarted"; }
  std::string_view operator()(const CheckpointSaved&) const { return "CheckpointSaved"; }
  std::string_view operator()(const RunRequiresAction&) const { return "RunRequiresAction"; }
  std::string_view operator()(const RunCancelRequested&) const { return "RunCancelRequested"; }
  std::string_view operator()(const RunCompleted&) const { return "RunCompleted"; }
  std::string_view operator()(const RunFailed&) const { return "RunFailed"; }
  std::string_view operator()(const RunCancelled&) const { return "RunCancelled"; }
  std::string_view operator()(const RunTimedOut&) const { return "RunTimedOut"; }
  std::string_view operator()(const LeaseExpired&) const { return "LeaseExpired"; }
  std::string_view operator()(const RunDeleted&) const { return "RunDeleted"; }
};

}  // namespace

std::string RunRequest::to_json() const {
  Writer out;
  out.begin_object().key("input").raw(input).key("command").raw(command).key("config").raw(config);
  out.key("context").raw(context).key("interrupt_before").raw(interrupt_before);
  out.key("interrupt_after").raw(interrupt_after).key("stream_modes").begin_array();
  for (const auto& mode : stream_modes) out.string(mode);
  out.end_array().key("stream_subgraphs").boolean(stream_subgraphs);
  out.key("stream_resumable").boolean(stream_resumable);
  out.key("cancel_on_disconnect").boolean(cancel_on_disconnect).key("temporary").boolean(temporary);
  out.key("multitask").string(to_string(multitask)).key("durability").string(to_string(durability));
  if (!traceparent.empty()) out.key("traceparent").string(traceparent);
  if (!tracestate.empty()) out.key("tracestate").string(tracestate);
  return out.end_object().take();
}

RunRequest RunRequest::from_json(std::string_view text) {
  const View in(text);
  RunRequest out;
  out.input = raw_or(in, "input", "null");
  out.command = raw_or(in, "command", "null");
  out.config = raw_or(in, "config", "{}");
  out.context = raw_or(in, "context", "null");
  out.interrupt_before = raw_or(in, "interrupt_before", "null");
  out.interrupt_after = raw_or(in, "interrupt_after", "null");
  if (in["stream_modes"].is_array()) out.stream_modes.clear();
  for (const auto mode : in["stream_modes"].elements()) out.stream_modes.push_back(mode.string());
  out.stream_subgraphs = in["stream_subgraphs"].boolean().value_or(false);
  out.stream_resumable = in["stream_resumable"].boolean().value_or(false);
  out.cancel_on_disconnect = in["cancel_on_disconnect"].boolean().value_or(false);
  out.temporary = in["temporary"].boolean().value_or(false);
  out.traceparent = in["traceparent"].string();
  out.tracestate = in["tracestate"].string();
  out.multitask = multitask_from(in["multitask"].string()).value_or(MultitaskStrategy::enqueue);
  out.durability = durability_from(in["durability"].string()).value_or(Durability::async);
  return out;
}

std::string_view type_of(const RunEvent& event) {
  return std::visit(TypeName{}, event);
}

std::string payload_of(const RunEvent& event) {
  Writer out;
  out.begin_object();
  std::visit(Payload{out}, event);
  out.end_object();
  return out.take();
}

namespace {

RunRequest read_request(Fields& in) {
  return RunRequest::from_json(in.object("request"));
}

CancelAction read_action(Fields& in) {
  const auto action = cancel_action_from(in.text("action"));
  if (!action) in.note("action");
  return action.value_or(CancelAction::interrupt);
}

std::optional<RunEvent> read_event(std::string_view type, Fields& in) {
  // A braced initialiser reads its members from left to right.
  if (type == "RunCreated")
    return RunCreated{in.text("thread_id"),     in.text("assistant_id"), in.text("graph_id"),
                      read_request(in),         in.object("metadata"),   in.time("not_before"),
                      in.optional_text("owner")};
  if (type == "RunStarted")
    return RunStarted{in.text("session_id"), in.text("worker"), in.text("revision"), in.number("epoch"),
                      in.number("attempt")};
  if (type == "CheckpointSaved")
    return CheckpointSaved{in.text("checkpoint_id"), in.text("ns"), in.text("revision")};
  if (type == "RunRequiresAction") return RunRequiresAction{};
  if (type == "RunCancelRequested") return RunCancelRequested{read_action(in)};
  if (type == "RunCompleted") return RunCompleted{in.optional_text("resumed_by").value_or("")};
  if (type == "RunFailed") return RunFailed{{in.text("error"), in.text("message")}};
  if (type == "RunCancelled") return RunCancelled{};
  if (type == "RunTimedOut") return RunTimedOut{in.text("message")};
  if (type == "LeaseExpired")
    return LeaseExpired{in.text("session_id"), in.text("reason"), in.number("epoch"), in.time("not_before")};
  if (type == "RunDeleted") return RunDeleted{in.text("reason")};
  return std::nullopt;
}

}  // namespace

Result<RunEvent> run_event_from(std::string_view type, std::string_view payload) {
  return read_payload<RunEvent>(type, payload, read_event);
}

}  // namespace dg::domain
