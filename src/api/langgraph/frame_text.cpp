#include "api/langgraph/frame_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace dg::api::langgraph {
namespace {

bool has_line_breaks(std::string_view text) {
  return text.find('\n') != std::string_view::npos || text.find('\r') != std::string_view::npos;
}

// Line breaks end a field of an event. In JSON they only stand between tokens, where a space means the
// same.
std::string one_line(std::string text) {
  for (auto& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

}  // namespace

std::string sse_text(const app::NumberedFrame& frame) {
  const auto& [event, data] = frame.frame;
  if (has_line_breaks(event) || has_line_breaks(data))
    return sse_text({frame.number, {one_line(event), one_line(data)}});
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", frame.number, event, data);
}

bool in_modes(const std::string& event, const std::vector<std::string>& modes) {
  if (modes.empty()) return true;
  const auto name = event.substr(0, event.find('|'));
  if (name == "metadata" || name == "error") return true;
  const auto mode = name.starts_with("messages/") ? "messages" : name == "messages" ? "messages-tuple" : name;
  return std::ranges::find(modes, mode) != modes.end();
}

Result<std::int64_t> frame_after(std::optional<std::string_view> last_event_id) {
  if (!last_event_id || last_event_id->empty() || *last_event_id == "-1" || *last_event_id == "-") return 0;
  std::int64_t number = 0;
  std::from_chars(last_event_id->data(), last_event_id->data() + last_event_id->size(), number);
  // An id has one form, and from_chars reads others too.
  if (number < 0 || number == INT64_MAX || std::to_string(number) != *last_event_id) return no_frame();
  return number + 1;
}

std::unexpected<Error> no_frame() {
  return fail(Error{Errc::invalid_argument,
                    "Last-Event-ID: must be the id of a frame of this run, or -1",
                    {{"Last-Event-ID", "must be the id of a frame of this run, or -1"}}});
}

}  // namespace dg::api::langgraph
