#include "cli/client/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/json.hpp"
#include "cli/client/exit_code.hpp"

namespace dg::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

std::string segment_after(std::string_view path, std::string_view name) {
  const auto at = path.find(name);
  if (at == std::string_view::npos) return {};
  const auto rest = path.substr(at + name.size());
  return std::string(rest.substr(0, rest.find_first_of("/?")));
}

void fill_place(const HttpAnswer& answer, StreamPlace& place) {
  for (const char* name : {"content-location", "location"}) {
    const auto header = answer.headers.find(name);
    if (header == answer.headers.end()) continue;
    if (place.thread_id.empty()) place.thread_id = segment_after(header->second, "/threads/");
    if (place.run_id.empty()) place.run_id = segment_after(header->second, "/runs/");
  }
}

// A stream may end because its server stops, so its end alone does not say that the run is over.
bool is_over(Api& api, const std::string& run_id) {
  const auto run = api.run(run_id);
  if (!run) return run.error().code == Errc::not_found;
  const auto status = json::View(*run)["status"].string();
  return status != "pending" && status != "running";
}

HttpCall join_call(const StreamPlace& place, const std::string& last_id) {
  return HttpCall{.path = stream_path(place), .headers = {{"Last-Event-ID", last_id}}};
}

}  // namespace

Error error_of(const HttpAnswer& answer) {
  Error error{errc_for_status(answer.status), fmt::format("the server answered {}", answer.status), {}};
  if (json::validate(answer.body, json::worker_rules)) {
    const json::View body(answer.body);
    for (const char* name : {"detail", "message", "error"}) {
      if (auto text = body[name].string(); !text.empty()) {
        error.message = std::move(text);
        break;
      }
    }
    for (const auto& field : body["errors"].elements()) {
      const auto place = field["place"].string();
      if (!place.empty() && !error.message.contains(place))
        error.message += fmt::format("\n  {}: {}", place, field["message"].string());
    }
  } else if (!answer.body.empty() && answer.body.size() < 2000) {
    error.message = answer.body;
  }
  return error;
}

Result<std::string> Api::call(const HttpCall& call) {
  auto answer = http_.send(call);
  if (!answer) return fail(answer.error());
  if (!answer->complete) {
    return fail(Errc::unavailable, fmt::format("{}: the connection was lost", http_.base_url()));
  }
  if (answer->status / 100 != 2) return fail(error_of(*answer));
  if (answer->body.empty()) return std::string();
  if (!json::validate(answer->body, json::worker_rules)) {
    return fail(Errc::internal, fmt::format("{} did not answer {} in JSON; is it a DuraGraph server?",
                                            http_.base_url(), call.path));
  }
  return std::move(answer->body);
}

Result<std::string> Api::get(const std::string& path, std::chrono::milliseconds timeout) {
  return call(HttpCall{.path = path, .timeout = timeout});
}

Result<std::string> Api::post(const std::string& path, const std::string& body) {
  return call(HttpCall{.method = "POST", .path = path, .body = body});
}

Result<std::string> Api::run(std::string_view run_id) {
  return get("/api/v1/runs/" + percent_encode(run_id));
}

Result<std::string> Api::why(std::string_view run_id) {
  return get("/api/v1/runs/" + percent_encode(run_id) + "/why");
}

Result<std::string> Api::thread(std::string_view thread_id) {
  return get("/threads/" + percent_encode(thread_id));
}

std::string stream_path(const StreamPlace& place) {
  return fmt::format("/threads/{}/runs/{}/stream", percent_encode(place.thread_id),
                     percent_encode(place.run_id));
}

Status follow_run(Api& api, HttpCall first, StreamPlace& place,
                  const std::function<bool(const SseEvent&)>& on_event, const std::function<void()>& on_lost,
                  const ResumePolicy& policy) {
  std::string last_id = "-1";
  bool stopped = false;
  bool progress = false;
  SseParser parser([&](const SseEvent& event) {
    if (stopped) return;
    if (!event.id.empty()) last_id = event.id;
    progress = true;
    stopped = !on_event(event);
  });
  const auto on_bytes = [&](std::string_view bytes) {
    parser.feed(bytes);
    return !stopped;
  };

  HttpCall call = std::move(first);
  auto pause = policy.first_pause;
  auto alive_at = SteadyClock::now();
  for (bool resuming = false;; resuming = true) {
    progress = false;
    parser.restart();
    call.silence = policy.silence;
    const auto answer = api.http().send(call, on_bytes);
    if (!answer && (!resuming || answer.error().code != Errc::unavailable)) return fail(answer.error());
    if (answer) {
      const bool not_now = answer->status >= 500 || answer->status == 429;
      if (answer->status / 100 != 2 && !(resuming && not_now)) return fail(error_of(*answer));
      if (!resuming) fill_place(*answer, place);
      if (stopped || (!not_now && answer->complete && is_over(api, place.run_id))) return {};
    }
    if (place.thread_id.empty() || place.run_id.empty()) {
      return fail(Errc::unavailable, "the connection was lost before the server had named the run");
    }
    const auto now = SteadyClock::now();
    if (progress || !resuming) {
      alive_at = now;
      pause = policy.first_pause;
    }
    if (now - alive_at >= policy.give_up) {
      return fail(Errc::unavailable,
                  fmt::format("{}: the connection was lost and did not come back; the run {} goes on",
                              api.http().base_url(), place.run_id));
    }
    const bool was_connected = answer && answer->status / 100 == 2;
    if (on_lost && was_connected) on_lost();
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, policy.longest_pause);
    call = join_call(place, last_id);
  }
}

}  // namespace dg::cli
