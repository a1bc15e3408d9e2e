#include "api/worker/wire.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "app/run_config.hpp"
#include "app/run_trace.hpp"

namespace dg::api::worker {
namespace {

using json::View;
using json::Writer;

constexpr std::array<std::pair<Errc, std::string_view>, 7> codes{
    {{Errc::invalid_argument, "invalid_argument"},
     {Errc::not_found, "not_found"},
     {Errc::busy, "busy"},
     {Errc::superseded, "superseded"},
     {Errc::unavailable, "unavailable"},
     {Errc::too_large, "too_large"},
     {Errc::internal, "internal"}}};

std::uint32_t read_be32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string be32(std::size_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
  return out;
}

constexpr std::size_t messages_max = 16384;  // that share one of the WebSocket

std::unexpected<Error> malformed(std::string message) {
  return fail(Errc::bad_request, std::move(message));
}

Result<View> read_object(std::string_view text) {
  if (auto valid = json::validate(text, json::worker_rules); !valid) return fail(valid.error());
  const View object(text);
  if (!object.is_object()) return malformed("a message is no JSON object");
  return object;
}

// Takes the first of the messages that are left in `rest`.
Result<Incoming> take_binary(std::string_view& rest) {
  if (rest.size() < 4) return malformed("a binary message is shorter than its length field");
  const std::size_t length = read_be32(rest);
  rest.remove_prefix(4);
  if (length > rest.size()) return malformed("a binary message's object is longer than the message");
  const auto object = read_object(rest.substr(0, length));
  if (!object) return fail(object.error());
  rest.remove_prefix(length);
  Incoming out{.text = {}, .object = *object, .blobs = {}};
  for (const auto blob : (*object)["blobs"].elements()) {
    const auto size = blob.integer();
    if (!size || *size < 0 || static_cast<std::size_t>(*size) > rest.size())
      return malformed("the blobs of a message are shorter than it says");
    out.blobs.push_back(rest.substr(0, static_cast<std::size_t>(*size)));
    rest.remove_prefix(static_cast<std::size_t>(*size));
  }
  return out;
}

void begin(Writer& out, std::string_view type) {
  out.begin_object().key("type").string(type);
}

void write_trace(Writer& out, const domain::Run& run, bool traced) {
  const auto context = app::context_of_attempt(run, traced);
  if (!context) return;
  out.key("trace").begin_object().key("traceparent").string(to_traceparent(*context));
  if (!context->state.empty()) out.key("tracestate").string(context->state);
  out.end_object();
}

struct Encode {
  Writer& out;
  bool traced;

  void operator()(const app::LeaseOffer& offer) const {
    const auto& run = offer.run;
    const auto& request = run.request;
    begin(out, "lease");
    out.key("run").begin_object().key("run_id").string(run.id).key("thread_id").string(run.thread_id);
    out.key("graph_id").string(run.graph_id).key("assistant_id").string(run.assistant_id);
    out.key("epoch").integer(run.epoch).key("attempt").integer(run.attempt);
    out.key("input").raw(request.input).key("command").raw(request.command);
    out.key("config").raw(app::config_for_attempt(run)).key("context").raw(request.context);
    out.key("stream_modes").begin_array();
    for (const auto& mode : request.stream_modes) out.string(mode);
    out.end_array().key("subgraphs").boolean(request.stream_subgraphs);
    out.key("interrupt_before")
        .raw(request.interrupt_before)
        .key("interrupt_after")
        .raw(request.interrupt_after);
    out.key("durability").string(domain::to_string(request.durability));
    out.key("temporary").boolean(request.temporary);
    write_trace(out, run, traced);
    out.key("has_checkpoints").boolean(offer.has_checkpoints).end_object().end_object();
  }
  void operator()(const app::CancelOrder& order) const {
    begin(out, "cancel");
    out.key("owner").string(order.owner).key("epoch").integer(order.epoch);
    out.key("action").string(domain::to_string(order.action)).end_object();
  }
  void operator()(const app::Superseded& said) const {
    begin(out, "superseded");
    out.key("owner")
        .string(said.owner)
        .key("epoch")
        .integer(said.epoch)
        .key("reason")
        .string(said.reason)
        .end_object();
  }
  void operator()(const app::Ack& ack) const { (*this)(std::span(&ack, 1)); }
  void operator()(std::span<const app::Ack> acks) const {
    begin(out, "acks");
    out.key("acks").begin_array();
    for (const auto& ack : acks)
      out.begin_array().string(ack.owner).integer(ack.epoch).integer(ack.n).end_array();
    out.end_array().end_object();
  }
  void operator()(const app::WorkerRequest& request) const {
    begin(out, "request");
    out.key("id").integer(request.id).key("method").string(request.method).key("params").raw(request.params);
    out.end_object();
  }
  void operator()(const app::Replied& replied) const {
    begin(out, "reply");
    out.key("id").integer(replied.id).key("result").null().end_object();
  }
  void operator()(const app::DrainOrder&) const {
    begin(out, "drain");
    out.end_object();
  }
};

std::optional<store::TypedBlob> read_blob(const Incoming& in, View typed) {
  const auto index = typed["blob"].integer();
  if (!index || *index < 0 || static_cast<std::size_t>(*index) >= in.blobs.size()) return std::nullopt;
  return store::TypedBlob{typed["type"].string(), std::string(in.blobs[static_cast<std::size_t>(*index)])};
}

std::unexpected<Error> broken(std::string_view type, std::string_view field) {
  return fail(Errc::invalid_argument,
              "a message of type " + std::string(type) + " has no valid " + std::string(field));
}

Result<app::FramesSaid> read_frames(View in) {
  app::FramesSaid out;
  for (const auto frame : in["frames"].elements()) {
    const auto parts = frame.elements();
    if (parts.size() != 2 || !parts[0].is_string()) return broken("frames", "frames");
    out.frames.push_back({parts[0].string(), std::string(parts[1].raw())});
  }
  return out;
}

Result<app::CheckpointSaid> read_checkpoint(const Incoming& in) {
  const View object = in.object;
  app::CheckpointSaid out;
  auto& checkpoint = out.checkpoint;
  checkpoint.key.ns = object["ns"].string();
  checkpoint.key.checkpoint_id = object["checkpoint_id"].string();
  if (checkpoint.key.checkpoint_id.empty()) return broken("checkpoint", "checkpoint_id");
  checkpoint.parent_id = object["parent_id"].string();
  auto blob = read_blob(in, object["checkpoint"]);
  if (!blob) return broken("checkpoint", "checkpoint");
  checkpoint.checkpoint = std::move(*blob);
  if (object["channel_versions"].is_object()) checkpoint.channel_versions = object["channel_versions"].raw();
  if (object["metadata"].is_object()) checkpoint.metadata = object["metadata"].raw();
  checkpoint.projection = object["projection"].raw();
  for (const auto value : object["values"].elements()) {
    auto data = read_blob(in, value);
    if (!data) return broken("checkpoint", "values");
    const View version = value["version"];
    checkpoint.values.push_back({value["channel"].string(),
                                 version.is_string() ? version.string() : std::string(version.raw()),
                                 std::move(*data)});
  }
  return out;
}

Result<app::WritesSaid> read_writes(const Incoming& in) {
  const View object = in.object;
  app::WritesSaid out;
  auto& writes = out.writes;
  writes.key.ns = object["ns"].string();
  writes.key.checkpoint_id = object["checkpoint_id"].string();
  writes.task_id = object["task_id"].string();
  if (writes.key.checkpoint_id.empty()) return broken("writes", "checkpoint_id");
  writes.task_path = object["task_path"].string();
  writes.task_patch = object["task"].raw();
  for (const auto write : object["writes"].elements()) {
    auto data = read_blob(in, write);
    const auto idx = write["idx"].integer();
    if (!data || !idx) return broken("writes", "writes");
    writes.writes.push_back({*idx, write["channel"].string(), std::move(*data)});
  }
  return out;
}

Result<app::CompleteSaid> read_complete(View in) {
  app::CompleteSaid out;
  const auto status = in["status"].string();
  if (status == "success") {
    out.outcome = app::Outcome::success;
  } else if (status == "interrupted") {
    out.outcome = app::Outcome::interrupted;
  } else if (status == "error") {
    out.outcome = app::Outcome::error;
  } else if (status == "cancelled") {
    out.outcome = app::Outcome::cancelled;
  } else {
    return broken("complete", "status");
  }
  out.error = {in["error"]["error"].string(), in["error"]["message"].string()};
  return out;
}

}  // namespace

std::vector<std::string> read_labels(View list) {
  std::vector<std::string> out;
  for (const auto label : list.elements()) out.push_back(label.string());
  return out;
}

std::vector<app::ItemPut> read_item_puts(View message) {
  std::vector<app::ItemPut> out;
  for (const auto put : message["puts"].elements())
    out.push_back({read_labels(put["namespace"]), put["key"].string(), std::string(put["value"].raw())});
  return out;
}

Result<std::vector<Incoming>> decode(net::WsMessage message) {
  const auto text = std::make_shared<const std::string>(std::move(message.data));
  std::vector<Incoming> out;
  if (!message.binary) {
    const auto object = read_object(*text);
    if (!object) return fail(object.error());
    out.push_back({text, *object, {}});
    return out;
  }
  std::string_view rest = *text;
  do {
    if (out.size() == messages_max)
      return malformed(fmt::format("more than {} messages share one of the WebSocket", messages_max));
    auto next = take_binary(rest);
    if (!next) return fail(next.error());
    next->text = text;
    out.push_back(std::move(*next));
  } while (!rest.empty());
  return out;
}

net::WsMessage join(std::vector<net::WsMessage> messages) {
  if (messages.size() == 1) return std::move(messages.front());
  net::WsMessage out{true, {}};
  for (const auto& message : messages) {
    if (!message.binary) out.data += be32(message.data.size());
    out.data += message.data;
  }
  return out;
}

void Blobs::write(Writer& out, const store::TypedBlob& value) {
  out.key("type").string(value.type).key("blob").integer(static_cast<std::int64_t>(blobs_.size()));
  blobs_.push_back(value.data);
}

net::WsMessage Blobs::message(std::string object) const {
  if (blobs_.empty()) return {false, std::move(object)};
  Writer lengths;
  lengths.begin_array();
  for (const auto& blob : blobs_) lengths.integer(static_cast<std::int64_t>(blob.size()));
  lengths.end_array();
  object.pop_back();  // the closing brace
  object += ",\"blobs\":" + lengths.text() + "}";
  std::string data = be32(object.size()) + object;
  for (const auto& blob : blobs_) data += blob;
  return {true, std::move(data)};
}

net::WsMessage encode(const app::ToWorker& message, bool traced) {
  Writer out;
  std::visit(Encode{out, traced}, message);
  return {false, out.take()};
}

net::WsMessage encode(std::span<const app::Ack> acks) {
  Writer out;
  Encode{out, false}(acks);
  return {false, out.take()};
}

Result<app::OwnerMessage> read_owner_message(const Incoming& in, std::string_view type) {
  app::OwnerMessage out;
  out.owner = in.object["owner"].string();
  const auto epoch = in.object["epoch"].integer();
  const auto n = in.object["n"].integer();
  if (out.owner.empty()) return broken(type, "owner");
  if (!epoch) return broken(type, "epoch");
  if (!n || *n < 1) return broken(type, "n");
  out.epoch = *epoch;
  out.n = *n;
  out.bytes = in.object.raw().size();
  for (const auto blob : in.blobs) out.bytes += blob.size();
  out.reply_id = in.object["id"].integer().value_or(0);
  const auto set = [&out](auto body) -> Status {
    if (!body) return fail(body.error());
    out.body = std::move(*body);
    return {};
  };
  Status status;
  if (type == "frames") {
    status = set(read_frames(in.object));
  } else if (type == "checkpoint") {
    status = set(read_checkpoint(in));
  } else if (type == "writes") {
    status = set(read_writes(in));
  } else if (type == "complete") {
    status = set(read_complete(in.object));
  } else if (type == "items") {
    out.body = app::ItemsSaid{read_item_puts(in.object)};
  } else {
    return fail(Errc::invalid_argument, "no message is of type " + std::string(type));
  }
  if (!status) return fail(status.error());
  return out;
}

Result<app::Hello> read_hello(View in) {
  app::Hello out;
  out.session = in["session"].string();
  out.secret = in["secret"].string();
  if (!is_uuid(out.session)) return broken("hello", "session");
  if (out.secret.size() < 32) return broken("hello", "secret");
  out.worker = in["worker"].is_object() ? in["worker"].raw() : "{}";
  out.name = in["worker"]["name"].string();
  out.revision = in["revision"].string();
  out.supervised = in["supervised"].boolean().value_or(false);
  out.draining = in["draining"].boolean().value_or(false);
  const auto slots = in["slots"].integer();
  if (!slots || *slots < 0) return broken("hello", "slots");
  out.slots = *slots;
  for (const auto graph : in["graphs"].elements()) {
    const auto error = graph["error"];
    out.graphs.push_back({graph["graph_id"].string(), graph["description"].string(),
                          error.is_object() ? std::string(error.raw()) : "null"});
  }
  for (const auto owned : in["owned"].elements())
    out.owned.push_back({owned["owner"].string(), owned["epoch"].integer().value_or(0)});
  return out;
}

void write_tuple(Writer& out, Blobs& blobs, const store::CheckpointTuple& tuple) {
  out.begin_object().key("thread_id").string(tuple.key.thread_id).key("ns").string(tuple.key.ns);
  out.key("checkpoint_id").string(tuple.key.checkpoint_id).key("parent_id");
  if (tuple.parent_id.empty()) {
    out.null();
  } else {
    out.string(tuple.parent_id);
  }
  out.key("checkpoint").begin_object();
  blobs.write(out, tuple.checkpoint);
  out.end_object().key("metadata").raw(tuple.metadata).key("values").begin_array();
  for (const auto& value : tuple.values) {
    out.begin_object().key("channel").string(value.channel).key("version").string(value.version);
    blobs.write(out, value.value);
    out.end_object();
  }
  out.end_array().key("writes").begin_array();
  for (const auto& stored : tuple.writes) {
    out.begin_object().key("task_id").string(stored.task_id).key("idx").integer(stored.write.idx);
    out.key("channel").string(stored.write.channel);
    blobs.write(out, stored.write.value);
    out.end_object();
  }
  out.end_array().end_object();
}

std::string_view error_code(Errc code) {
  for (const auto& [errc, name] : codes)
    if (errc == code) return name;
  return code == Errc::bad_request ? "invalid_argument" : code == Errc::conflict ? "busy" : "internal";
}

Errc error_from(std::string_view text) {
  for (const auto& [errc, name] : codes)
    if (name == text) return errc;
  return Errc::internal;
}

}  // namespace dg::api::worker
