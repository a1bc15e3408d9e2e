// A run's frames as text: server-sent events, and the ids that lead back to them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/streams.hpp"
#include "base/result.hpp"

namespace dg::api::langgraph {

// One frame as an event: its number is the id.
std::string sse_text(const app::NumberedFrame& frame);

// Whether a frame belongs to one of the modes; metadata and errors belong to all.
bool in_modes(const std::string& event, const std::vector<std::string>& modes);

// Where a reader goes on that came back with `Last-Event-ID`: behind that frame. Nothing, "", "-1" or
// "-": from the beginning. invalid_argument for anything else.
Result<std::int64_t> frame_after(std::optional<std::string_view> last_event_id);

// What a reader is told whose place is none of the run's.
std::unexpected<Error> no_frame();

}  // namespace dg::api::langgraph
