// The worker protocol's messages: any bytes are refused or are a message whose parts are what it says they
// are, and what the server makes of them can be read. An input is a text message where it begins with a
// brace, with a 0x1e and blobs behind it a binary one, else the bytes of a binary one.
#include <algorithm>

#include "api/worker/wire.hpp"
#include "target.hpp"

namespace dg::fuzz {
namespace {

using namespace api::worker;

constexpr std::array types{"frames", "checkpoint", "writes", "items", "complete", "beat"};

net::WsMessage binary(std::string_view object, std::string_view blobs) {
  std::string data;
  for (int shift = 24; shift >= 0; shift -= 8)
    data.push_back(static_cast<char>(object.size() >> shift & 0xff));
  return {true, data.append(object).append(blobs)};
}

net::WsMessage message_of(std::string_view input) {
  if (!input.starts_with('{')) return {true, std::string(input)};
  if (!input.contains('\x1e')) return {false, std::string(input)};
  const auto [object, blobs] = split(input, '\x1e');
  return binary(object, blobs);
}

void expect_json(std::string_view text, std::string_view what) {
  expect(json::validate(text, json::worker_rules).has_value(), what, text);
}

void check_parts(const net::WsMessage& message, const Incoming& in) {
  expect(*in.text == message.data, "a message is kept as it was sent");
  expect(in.object.is_object(), "a message is an object", *in.text);
  expect_json(in.object.raw(), "a message's object is JSON");
  std::size_t bytes = 0;
  for (const auto blob : in.blobs) {
    expect(blob.data() >= in.text->data() && blob.data() + blob.size() <= in.text->data() + in.text->size(),
           "a blob is within its message", *in.text);
    bytes += blob.size();
  }
  expect(message.binary || in.blobs.empty(), "text has no blobs", *in.text);
  expect(bytes + in.object.raw().size() <= in.text->size(), "blobs do not overlap", *in.text);
}

// What goes out can be read as what comes in, blobs included.
void check_tuple(const app::CheckpointSaid& said) {
  store::CheckpointTuple tuple;
  tuple.key = said.checkpoint.key;
  tuple.parent_id = said.checkpoint.parent_id;
  tuple.checkpoint = said.checkpoint.checkpoint;
  tuple.metadata = said.checkpoint.metadata;
  tuple.values = said.checkpoint.values;
  json::Writer out;
  Blobs blobs;
  out.begin_object().key("result");
  write_tuple(out, blobs, tuple);
  const auto decoded = decode(blobs.message(out.end_object().take()));
  expect(decoded.has_value(), "a tuple can be read", said.checkpoint.key.checkpoint_id);
  const auto& in = decoded->front();
  expect(in.blobs.size() == 1 + tuple.values.size() && in.blobs[0] == tuple.checkpoint.data,
         "a tuple has its blobs", *in.text);
  for (std::size_t i = 0; i < tuple.values.size(); ++i)
    expect(in.blobs[i + 1] == tuple.values[i].value.data, "a tuple has its values", *in.text);
}

struct CheckBody {
  void operator()(const app::FramesSaid& said) const {
    for (const auto& frame : said.frames) expect_json(frame.data, "a frame's data is JSON");
  }
  void operator()(const app::CheckpointSaid& said) const {
    const auto& checkpoint = said.checkpoint;
    expect(!checkpoint.key.checkpoint_id.empty(), "a checkpoint has an id");
    for (const auto& text : {checkpoint.metadata, checkpoint.channel_versions, checkpoint.projection})
      expect_json(text, "a checkpoint's parts are JSON");
    check_tuple(said);
  }
  void operator()(const app::WritesSaid& said) const {
    expect(!said.writes.key.checkpoint_id.empty(), "writes have a checkpoint");
    expect_json(said.writes.task_patch, "a task's patch is JSON");
  }
  void operator()(const app::ItemsSaid& said) const {
    for (const auto& put : said.puts) expect_json(put.value, "an item's value is JSON");
  }
  void operator()(const app::CompleteSaid&) const {}
};

void check_owner_message(const Incoming& in, std::string_view type) {
  const auto message = read_owner_message(in, type);
  if (!message)
    return expect(message.error().code == Errc::invalid_argument && !message.error().message.empty(),
                  "a refusal says why", *in.text);
  expect(!message->owner.empty() && message->n >= 1, "a numbered message has an owner and a number",
         *in.text);
  std::visit(CheckBody{}, message->body);
  for (const auto& said : {encode(app::Ack{message->owner, message->epoch, message->n}),
                           encode(app::Superseded{message->owner, message->epoch, std::string(type)})})
    expect_json(said.data, "an answer is JSON");
}

void check_hello(json::View object) {
  const auto hello = read_hello(object);
  if (!hello) return expect(hello.error().code == Errc::invalid_argument, "a refusal says why", object.raw());
  expect(is_uuid(hello->session) && hello->secret.size() >= 32 && hello->slots >= 0,
         "a hello has what it needs", object.raw());
  expect_json(hello->worker, "a worker's description is JSON");
  for (const auto& graph : hello->graphs) expect_json(graph.error, "a graph's error is JSON");
}

void check(std::string_view input) {
  const auto message = message_of(input);
  const auto decoded = decode(message);
  if (!decoded) return expect(decoded.error().code == Errc::bad_request, "a refusal is one of form", input);
  expect(!decoded->empty() && (message.binary || decoded->size() == 1), "there is a message", input);
  for (const auto& in : *decoded) {
    check_parts(message, in);
    for (const auto* type : types) check_owner_message(in, type);
    check_hello(in.object);
  }
}

const Registration worker_wire_target("worker_wire", 20000, check);

}  // namespace
}  // namespace dg::fuzz
