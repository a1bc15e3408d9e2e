#include "api/langgraph/run_stream.hpp"

#include "app/changes.hpp"
#include "base/log.hpp"

namespace dg::api::langgraph {
namespace {

// Clients learn the cadence of heartbeats and take three missing ones for a dead connection.
constexpr Duration heartbeat = std::chrono::seconds(5);
// Until the store is asked again that could not be asked.
constexpr Duration retry_pause = std::chrono::seconds(1);
// After how many milliseconds readers come back that are sent away, so that thousands do not come together.
constexpr std::uint64_t least_return = 250;
constexpr std::uint64_t return_spread = 1000;

// Wakes the one that answers a client as soon as the client goes, for as long as `answering` lives:
// that owns `out`.
Task<void> watch_client(app::App& app, std::string run_id, net::Stream& out,
                        std::weak_ptr<const bool> answering) {
  while (!answering.expired() && !out.closed()) co_await out.on_close().wait();
  if (!answering.expired()) app.streams.nudge(run_id);
}

// Begins to watch where the run is to be cancelled for a client that goes; ends with the result.
std::shared_ptr<const bool> watch(app::App& app, const std::string& run_id, bool cancel_on_disconnect,
                                  net::Stream& out) {
  auto answering = std::make_shared<const bool>(true);
  if (cancel_on_disconnect)
    spawn(app.context.env.timers.executor(), "watch_client", watch_client(app, run_id, out, answering));
  return answering;
}

Task<void> cancel_for_client(app::App& app, std::string run_id) {
  const auto done = co_await app.runs.cancel(app::the_server, run_id, domain::CancelAction::interrupt);
  if (!done && done.error().code != Errc::not_found)
    log::warn({{"run_id", run_id}}, "a run could not be cancelled for its client: {}", done.error().message);
}

// What is left to tell of a run that is over and whose frames are deleted: which it was, and how it failed,
// as frames 0 and 1. Nobody knows any more which number the error had, so a reader that is further may have
// had it, and gets nothing a second time.
Task<Result<std::string>> epitaph(app::App& app, std::string run_id, std::int64_t from) {
  if (from > 1) co_return "";
  const auto count = co_await app.context.store.frame_count(run_id);
  if (!count) co_return fail(count.error());
  if (*count > 0) co_return "";
  const auto run = co_await app.runs.get(app::the_server, run_id);
  if (!run) co_return fail(run.error());
  std::string text;
  if (from == 0) text += sse_text({from++, app::metadata_frame(run->id, run->attempt)});
  if (run->error) text += sse_text({from, {"error", app::frame_json(*run->error)}});
  co_return text;
}

// A client that waits is not told of a database that is away: it would take that for the run's end.
bool passes(const Error& error) {
  return error.code == Errc::unavailable || error.code == Errc::timeout;
}

std::string text_of(const std::vector<app::NumberedFrame>& frames, const std::vector<std::string>& modes) {
  std::string text;
  for (const auto& frame : frames)
    if (in_modes(frame.frame.event, modes)) text += sse_text(frame);
  return text;
}

// Ends a stream that its reader goes on with at another instance. That it is not over is seen by its broken
// end: older clients would take a clean one for the run's. The field counts as soon as its line has ended; an
// empty line behind it would be an event without a name to some clients.
Task<void> send_away(std::string text, Random& random, net::Stream& out) {
  text += "retry: " + std::to_string(least_return + random.next() % return_spread) + "\n";
  co_await out.write(text);
  out.break_off();
}

Task<void> stream_frames(app::App& app, const StreamOrder& order, net::Stream& out) {
  auto& timers = app.context.env.timers;
  auto next_beat = timers.now() + heartbeat;
  const auto answering = watch(app, order.run_id, order.cancel_on_disconnect, out);
  app::Streams::Reader reader(app.streams, order.run_id, order.from);
  while (!out.closed()) {
    auto page = co_await reader.next(app.streams.readers_leave() ? timers.now() : next_beat);
    if (page && page->ended) {
      const auto rest = co_await epitaph(app, order.run_id, reader.position());
      if (rest && !rest->empty()) co_await out.write(*rest);
      if (rest) co_return;
      page = fail(rest.error());
    }
    if (!page && !passes(page.error())) co_return;  // a run that was deleted has no more to say
    auto text = page ? text_of(page->frames, order.modes) : std::string();
    if (app.streams.readers_leave())
      co_return co_await send_away(std::move(text), app.context.env.random, out);
    if (!page && page.error().code == Errc::unavailable) co_await sleep_for(timers, retry_pause);
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
  const auto answering = watch(app, run_id, cancel_on_disconnect, out);
  while (!out.closed()) {
    auto result = co_await app.runs.join(run_id, next_beat);
    if (result) {
      co_await out.write(*result);
      co_return;
    }
    if (!passes(result.error())) {
      const domain::RunError error{
          std::string(result.error().code == Errc::not_found ? "RunDeleted" : "InternalError"),
          result.error().message};
      const auto text =
          json::Writer().begin_object().key("__error__").raw(app::frame_json(error)).end_object().take();
      co_await out.write(text);
      co_return;
    }
    if (result.error().code == Errc::unavailable) co_await sleep_for(timers, retry_pause);
    if (timers.now() < next_beat) continue;
    next_beat += heartbeat;
    if (!co_await out.write("\n")) break;
  }
  if (cancel_on_disconnect && !out.cut_off()) co_await cancel_for_client(app, run_id);
}

}  // namespace

Task<Status> check_place(app::App& app, const domain::Run& run, std::int64_t from) {
  if (from == 0) co_return Status{};
  const auto count = co_await app.context.store.frame_count(run.id);
  if (!count) co_return fail(count.error());
  const bool deleted = *count == 0 && !domain::is_active(run.state);
  if (from > *count && !deleted) co_return no_frame();
  co_return Status{};
}

std::string path_of(const domain::Run& run) {
  return "/threads/" + run.thread_id + "/runs/" + run.id;
}

void add_locations(net::Response& response, const domain::Run& run, std::string content,
                   std::string_view resume) {
  response.headers.emplace_back("Content-Location", std::move(content));
  response.headers.emplace_back("Location", path_of(run) + std::string(resume));
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
