#include "cli/bench/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include "base/json.hpp"

namespace dg::cli::bench {
namespace {

// For one request; a bench that waits longer has found something that hangs.
constexpr Duration request_patience = std::chrono::seconds(120);

// What the clients of one drive share. It outlives them: drive() waits for each.
struct Driving {
  Driving(SystemWorld& the_loop, Work the_work)
      : loop(the_loop), work(std::move(the_work)), ended(*loop.timers) {}

  SystemWorld& loop;
  Work work;
  SteadyTime measure_from;
  SteadyTime end;
  Samples samples;
  int running = 0;
  Signal ended;
};

Task<void> run_client(Driving& driving, std::string url, int number) {
  auto http = net::make_http_client(driving.loop.io, driving.loop.env, url);
  if (!http) driving.samples.add_error(http.error().message);
  bool measured = false;
  while (http && (!measured || driving.loop.timers->now() < driving.end)) {
    const auto began = driving.loop.timers->now();
    measured = began >= driving.measure_from;
    const auto done = co_await driving.work({**http, number});
    if (!done) {
      driving.samples.add_error(done.error().message);
      // A server that refuses at once must not be asked a hundred thousand times.
      co_await sleep_for(*driving.loop.timers, std::chrono::milliseconds(10));
    } else if (began >= driving.measure_from) {
      driving.samples.add(driving.loop.timers->now() - began);
    }
  }
  --driving.running;
  driving.ended.notify_all();
}

// What the clients of one pace share.
struct Pacing {
  Pacing(SystemWorld& the_loop, Work the_work)
      : loop(the_loop), work(std::move(the_work)), due_came(*loop.timers), ended(*loop.timers) {}

  SystemWorld& loop;
  Work work;
  std::deque<SteadyTime> due;
  bool over = false;  // nothing more becomes due
  Samples samples;
  int running = 0;
  Signal due_came;
  Signal ended;
};

Task<void> work_when_due(Pacing& pacing, std::string url, int number) {
  auto http = net::make_http_client(pacing.loop.io, pacing.loop.env, url);
  if (!http) pacing.samples.add_error(http.error().message);
  while (http) {
    while (pacing.due.empty() && !pacing.over) co_await pacing.due_came.wait();
    if (pacing.due.empty()) break;
    const auto due = pacing.due.front();
    pacing.due.pop_front();
    const auto done = co_await pacing.work({**http, number});
    if (done) {
      pacing.samples.add(pacing.loop.timers->now() - due);
    } else {
      pacing.samples.add_error(done.error().message);
    }
  }
  --pacing.running;
  pacing.ended.notify_all();
}

}  // namespace

double Samples::percentile(double share) const {
  if (ms_.empty()) return 0;
  auto sorted = ms_;
  const auto rank = std::ceil(share * static_cast<double>(sorted.size()));
  const auto place = static_cast<std::ptrdiff_t>(std::max(rank, 1.0)) - 1;
  std::ranges::nth_element(sorted, sorted.begin() + place);
  return sorted[static_cast<std::size_t>(place)];
}

void Samples::append(const Samples& more) {
  ms_.insert(ms_.end(), more.ms_.begin(), more.ms_.end());
  for (const auto& [message, times] : more.errors_) errors_[message] += times;
  seconds_ += more.seconds_;
}

std::int64_t Samples::errors() const {
  std::int64_t count = 0;
  for (const auto& [message, times] : errors_) count += times;
  return count;
}

std::string Samples::commonest_error() const {
  const auto most = std::ranges::max_element(errors_, {}, [](const auto& entry) { return entry.second; });
  return most == errors_.end() ? "" : most->first;
}

Task<Samples> drive(SystemWorld& loop, std::vector<std::string> urls, Load load, Work work) {
  Driving driving(loop, std::move(work));
  driving.measure_from = loop.timers->now() + load.warm_up;
  driving.end = driving.measure_from + load.duration;
  driving.running = load.clients;
  for (int number = 0; number < load.clients; ++number)
    spawn(loop.io.get_executor(), "bench client",
          run_client(driving, urls[static_cast<std::size_t>(number) % urls.size()], number));
  while (driving.running > 0) co_await driving.ended.wait();
  // The last pieces of work end after the duration: they count, and so does their time.
  const auto took = loop.timers->now() - driving.measure_from;
  driving.samples.set_seconds(std::chrono::duration<double>(took).count());
  co_return std::move(driving.samples);
}

Task<Samples> keep_pace(SystemWorld& loop, std::vector<std::string> urls, Pace pace, Work work) {
  Pacing pacing(loop, std::move(work));
  pacing.running = pace.clients;
  for (int number = 0; number < pace.clients; ++number)
    spawn(loop.io.get_executor(), "bench client",
          work_when_due(pacing, urls[static_cast<std::size_t>(number) % urls.size()], number));
  const auto began = loop.timers->now();
  const auto interval =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / pace.per_second));
  for (auto next = began; next < began + pace.duration;) {
    for (; next <= loop.timers->now(); next += interval) pacing.due.push_back(next);
    pacing.due_came.notify_all();
    co_await sleep_for(*loop.timers,
                       std::max<Duration>(next - loop.timers->now(), std::chrono::milliseconds(1)));
  }
  pacing.over = true;
  pacing.due_came.notify_all();
  while (pacing.running > 0) co_await pacing.ended.wait();
  const auto took = loop.timers->now() - began;
  pacing.samples.set_seconds(std::chrono::duration<double>(took).count());
  co_return std::move(pacing.samples);
}

Task<Result<std::string>> call(SystemWorld& loop, net::HttpClient& http, net::Method method,
                               std::string target, std::string body) {
  auto response =
      co_await http.send({method, target, {}, std::move(body), {}}, loop.timers->now() + request_patience);
  if (!response) co_return fail(response.error());
  if (response->status < 400) co_return std::move(response->body);
  std::string detail;
  if (json::validate(response->body, json::worker_rules))
    detail = json::View(response->body)["detail"].string();
  co_return fail(Errc::internal,
                 fmt::format("{} {}: {} {}", to_string(method), target, response->status, detail));
}

Task<Status> get(SystemWorld& loop, net::HttpClient& http, std::string target) {
  const auto answer = co_await call(loop, http, net::Method::get, std::move(target));
  co_return answer ? Status{} : fail(answer.error());
}

}  // namespace dg::cli::bench
