#include "api/langgraph/run_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/changes.hpp"
#include "base/log.hpp"

namespace dg::api::langgraph {
namespace {

// Clients learn the cadence of heartbeats and take three missing ones for a dead connection.
constexpr Duration heartbeat = std::chrono::seconds(5);
// How soon a client that went away is noticed when its run is to be cancelled for it.
constexpr Duration disconnect_check = std::chrono::seconds(1);

// What a wait may sleep before it looks at the connection again.
SteadyTime wake_at(const app::App& app, SteadyTime next_beat, bool watch_disconnect) {
  return watch_disconnect ? std::min(next_beat, app.context.env.timers.now() + disconnect_check) : next_beat;
}

Task<void> cancel_for_client(app::App& app, std::string run_id) {
  const auto done = co_await app.runs.cancel(run_id, domain::CancelAction::interrupt);
  if (!done && done.error().code != Errc::not_found)
    log::warn("the run {} could not be cancelled for its client: {}", run_id, done.error().message);
}

Task<void> stream_frames(app::App& app, StreamOrder order, net::Stream& out) {
  auto& timers = app.context.env.timers;
  auto next_beat = timers.now() + heartbeat;
  while (!out.closed()) {
    const auto page = co_await app.streams.read(order.run_id, order.from,
                                                wake_at(app, next_beat, order.cancel_on_disconnect));
    if (!page || page->ended) co_return;  // a run that was deleted has no more to say
    std::string text;
    for (const auto& frame : page->frames) {
      order.from = frame.number + 1;
      if (in_modes(frame.frame.event, order.modes)) text += sse_text(frame);
    }
    while (timers.now() >= next_beat) {
      text += ": heartbeat\n\n";
      next_beat += heartbeat;
    }
    if (!text.empty() && !co_await out.write(text)) break;
  }
  if (order.cancel_on_disconnect && !out.cut_off()) co_await cancel_for_client(app, order.run_id);
}

Task<void> send_result(app::App& app, std::string run_id, bool cancel_on_disconnect, net::Stream& out) {
  auto& timers = app.context.env.timers;
  auto next_beat = timers.now() + heartbeat;
  while (!out.closed()) {
    auto result = co_await app.runs.join(run_id, wake_at(app, next_beat, cancel_on_disconnect));
    if (result) {
      co_await out.write(*result);
      co_return;
    }
    if (result.error().code != Errc::timeout) {
      const domain::RunError error{
          std::string(result.error().code == Errc::not_found ? "RunDeleted" : "InternalError"),
          result.error().message};
      const auto text =
          json::Writer().begin_object().key("__error__").raw(app::frame_json(error)).end_object().take();
      co_await out.write(text);
      co_return;
    }
    if (timers.now() < next_beat) continue;
    next_beat += heartbeat;
    if (!co_await out.write("\n")) break;
  }
  if (cancel_on_disconnect && !out.cut_off()) co_await cancel_for_client(app, run_id);
}

}  // namespace

std::string sse_text(const app::NumberedFrame& frame) {
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", frame.number, frame.frame.event, frame.frame.data);
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
  const auto* const end = last_event_id->data() + last_event_id->size();
  const auto parsed = std::from_chars(last_event_id->data(), end, number);
  if (parsed.ec != std::errc{} || parsed.ptr != end || number < 0)
    return fail(Error{Errc::invalid_argument,
                      "Last-Event-ID: must be the id of a frame of this run, or -1",
                      {{"Last-Event-ID", "must be the id of a frame of this run, or -1"}}});
  return number + 1;
}

net::Response stream_response(app::App& app, StreamOrder order) {
  net::Response response;
  response.headers = {{"Content-Type", "text/event-stream"},
                      {"Cache-Control", "no-cache, no-transform"},
                      {"X-Accel-Buffering", "no"}};
  response.stream = [&app, order = std::move(order)](net::Stream& out) {
    return stream_frames(app, order, out);
  };
  return response;
}

net::Response join_response(app::App& app, std::string run_id, bool cancel_on_disconnect) {
  net::Response response;
  response.headers = {{"Content-Type", "application/json"},
                      {"Cache-Control", "no-cache, no-transform"},
                      {"X-Accel-Buffering", "no"}};
  response.stream = [&app, run_id = std::move(run_id), cancel_on_disconnect](net::Stream& out) {
    return send_result(app, run_id, cancel_on_disconnect, out);
  };
  return response;
}

}  // namespace dg::api::langgraph
