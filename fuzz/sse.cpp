// Server-sent events: a frame's id leads behind that frame when a reader brings it back, and nothing that is
// no id does. An input is taken as a Last-Event-ID, as what a client receives, and as frames: a line with the
// name of an event, and one with its data.
#include "cli/client/sse.hpp"

#include <fmt/format.h>

#include "api/langgraph/frame_text.hpp"
#include "target.hpp"

namespace dg::fuzz {
namespace {

using api::langgraph::frame_after;
using cli::SseEvent;

std::string text_of(const SseEvent& event) {
  return fmt::format("{}\x1f{}\x1f{}\x1e", event.id, event.event, event.data);
}

// Every event of a stream that is received in pieces of `size` bytes.
std::string received(std::string_view stream, std::size_t size) {
  std::string out;
  cli::SseParser parser([&](const SseEvent& event) { out += text_of(event); });
  for (; !stream.empty(); stream.remove_prefix(std::min(size, stream.size())))
    parser.feed(stream.substr(0, size));
  return out;
}

void check_garbage(std::string_view id) {
  const bool start = id.empty() || id == "-1" || id == "-";
  const auto from = frame_after(id);
  if (!from) {
    expect(!start, "a reader may begin anew", id);
    expect(from.error().code == Errc::invalid_argument && !from.error().fields.empty(),
           "a refusal has a place", id);
  } else if (!start) {
    expect(*from > 0 && std::to_string(*from - 1) == id, "only an id that was given leads anywhere", id);
  } else {
    expect(*from == 0, "a reader begins with the first frame", id);
  }
}

void check_id(std::int64_t number) {
  const auto from = frame_after(std::to_string(number));
  expect(from == number + 1, "an id leads behind its frame", std::to_string(number));
}

// What a client sees of a field's text: it has no line breaks.
std::string shown(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c == '\n' || c == '\r') c = ' ';
  return out;
}

// A frame is one event with its number, name and data.
void check_frame(std::int64_t number, std::string_view event, std::string_view data) {
  const auto text = api::langgraph::sse_text({number, {std::string(event), std::string(data)}});
  const auto name = event.empty() ? "message" : shown(event);
  const auto wanted = text_of({std::to_string(number), name, shown(data)});
  for (const std::size_t size : {text.size(), std::size_t{1}, std::size_t{3}})
    expect(received(text, size) == wanted, "a frame is one event", text);
}

void check(std::string_view input) {
  check_garbage(input.substr(0, 64));
  std::uint64_t number = input.size();
  for (const char c : input.substr(0, 8)) number = number << 8 | static_cast<unsigned char>(c);
  number = (number & INT64_MAX) % INT64_MAX;
  check_id(static_cast<std::int64_t>(number));
  const auto [event, rest] = split(input, '\n');
  check_frame(static_cast<std::int64_t>(number), event, rest);
  const auto whole = received(input, input.size());
  for (const std::size_t size : {1, 2, 7})
    expect(received(input, size) == whole, "pieces make no other events", input);
}

const Registration sse_target("sse", 20000, check);

}  // namespace
}  // namespace dg::fuzz
