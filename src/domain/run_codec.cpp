// Events and requests of runs as JSON.
#include "base/json.hpp"
#include "domain/run.hpp"

namespace dg::domain {
namespace {

using json::View;
using json::Writer;

std::string raw_or(View object, std::string_view key, std::string_view otherwise) {
  const auto found = object.find(key);
  return std::string(found ? found->raw() : otherwise);
}

WallTime time_of(View object, std::string_view key) {
  return from_micros(object[key].integer().value_or(0));
}

void write_error(Writer& out, const RunError& error) {
  out.key("error").string(error.error).key("message").string(error.message);
}

RunError error_of(View object) {
  return {object["error"].string(), object["message"].string()};
}

// One overload for each event writes the members of its payload.
struct Payload {
  Writer& out;

  void operator()(const RunCreated& e) const {
    out.key("thread_id").string(e.thread_id).key("assistant_id").string(e.assistant_id);
    out.key("graph_id").string(e.graph_id).key("request").raw(e.request.to_json());
    out.key("metadata").raw(e.metadata).key("not_before").integer(to_micros(e.not_before));
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
  out.key("multitask")
      .string(to_string(multitask))
      .key("durability")
      .string(to_string(durability))
      .end_object();
  return out.take();
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
  out.stream_modes.clear();
  for (const auto mode : in["stream_modes"].elements()) out.stream_modes.push_back(mode.string());
  out.stream_subgraphs = in["stream_subgraphs"].boolean().value_or(false);
  out.stream_resumable = in["stream_resumable"].boolean().value_or(false);
  out.cancel_on_disconnect = in["cancel_on_disconnect"].boolean().value_or(false);
  out.temporary = in["temporary"].boolean().value_or(false);
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

// Reads the members of a payload and remembers the first that is not what was written.
class Fields {
 public:
  explicit Fields(View in) : in_(in) {}

  std::string text(std::string_view name) { return checked(name, json::Kind::string).string(); }
  std::int64_t number(std::string_view name) {
    const auto value = checked(name, json::Kind::number).integer();
    if (!value) note(name);
    return value.value_or(0);
  }
  WallTime time(std::string_view name) { return from_micros(number(name)); }
  std::string object(std::string_view name) { return std::string(checked(name, json::Kind::object).raw()); }
  RunRequest request(std::string_view name) {
    const auto value = checked(name, json::Kind::object);
    return value.is_object() ? RunRequest::from_json(value.raw()) : RunRequest{};
  }
  CancelAction action(std::string_view name) {
    const auto value = cancel_action_from(text(name));
    if (!value) note(name);
    return value.value_or(CancelAction::interrupt);
  }
  const std::string& wrong() const { return wrong_; }

 private:
  View checked(std::string_view name, json::Kind kind) {
    const auto value = in_[name];
    if (value.kind() != kind) note(name);
    return value;
  }
  void note(std::string_view name) {
    if (wrong_.empty()) wrong_ = name;
  }

  View in_;
  std::string wrong_;
};

std::optional<RunEvent> read_event(std::string_view type, Fields& in, View payload) {
  // A braced initialiser reads its members from left to right.
  if (type == "RunCreated")
    return RunCreated{in.text("thread_id"),   in.text("assistant_id"), in.text("graph_id"),
                      in.request("request"),  in.object("metadata"),   in.time("not_before")};
  if (type == "RunStarted")
    return RunStarted{in.text("session_id"), in.text("worker"), in.text("revision"), in.number("epoch"),
                      in.number("attempt")};
  if (type == "CheckpointSaved") return CheckpointSaved{in.text("checkpoint_id"), in.text("ns"), in.text("revision")};
  if (type == "RunRequiresAction") return RunRequiresAction{};
  if (type == "RunCancelRequested") return RunCancelRequested{in.action("action")};
  if (type == "RunCompleted") return RunCompleted{payload["resumed_by"].string()};
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
  const bool valid = json::validate(payload, {json::client_rules.max_depth + 2, false, false}).has_value();
  if (!valid || !View(payload).is_object())
    return fail(Errc::internal, "the payload of an event " + std::string(type) + " is no JSON object");
  Fields fields{View(payload)};
  auto event = read_event(type, fields, View(payload));
  if (!event) return fail(Errc::internal, "no event of a run is named " + std::string(type));
  if (!fields.wrong().empty())
    return fail(Errc::internal, "the payload of an event " + std::string(type) + " has no valid " + fields.wrong());
  return std::move(*event);
}

}  // namespace dg::domain
