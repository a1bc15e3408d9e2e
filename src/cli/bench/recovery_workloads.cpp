// Workloads of death: how long a run stands still when the process that executes it, or its instance, is
// killed.
#include <fmt/format.h>

#include <csignal>

#include "base/json.hpp"
#include "cli/bench/balancer.hpp"
#include "cli/bench/serve_target.hpp"
#include "cli/bench/workloads.hpp"
#include "cli/client/sse.hpp"

namespace dg::cli::bench {
namespace {

using net::Method;

constexpr int rounds = 5;
constexpr int workers = 2;
constexpr Duration patience = std::chrono::seconds(60);

// What is seen of a run's stream.
struct Watch {
  explicit Watch(SystemWorld& loop) : timers(*loop.timers), changed(timers) {}
  void hear(const SseEvent& event) {
    if (event.event == "metadata") {
      run_id = json::View(event.data)["run_id"].string();
      attempt = json::View(event.data)["attempt"].integer().value_or(0);
    } else if (event.event == "custom") {
      longest_silence = std::max(longest_silence, timers.now() - heard_at);
      heard_at = timers.now();
      if (attempt <= seen_attempt) return;
      seen_attempt = attempt;
      seen_at = timers.now();
      changed.notify_all();
    }
  }
  // The longest time without a word of the graph that begins in the next `span`.
  Task<Duration> silence_of(Duration span) {
    longest_silence = {};
    const auto until = timers.now() + span;
    co_await sleep_for(timers, span);
    while (heard_at < until && timers.now() < until + patience && !ended)
      co_await sleep_for(timers, std::chrono::milliseconds(1));
    co_return longest_silence;
  }
  // Whether the graph said something in that attempt, in time.
  Task<bool> wait_for(std::int64_t wanted) {
    const auto deadline = timers.now() + patience;
    while (seen_attempt < wanted && !ended)
      if (!co_await changed.wait_until(deadline)) break;
    co_return seen_attempt >= wanted;
  }
  Task<void> wait_for_end() {
    while (!ended) co_await changed.wait();
  }

  Timers& timers;
  std::string run_id;
  std::int64_t attempt = 0;
  std::int64_t seen_attempt = 0;  // the last in which the graph said something
  SteadyTime seen_at;
  SteadyTime heard_at;  // when the graph said something last
  Duration longest_silence{};
  bool ended = false;
  Signal changed;
};

Task<void> follow(SystemWorld& loop, net::HttpClient& http, std::string target, Watch& watch) {
  SseParser parser([&](const SseEvent& event) { watch.hear(event); });
  std::string body =
      R"({"assistant_id":"tokens","if_not_exists":"create","stream_mode":["custom"],"input":{"count":100000,"per_second":100}})";
  const auto done = co_await http.send({Method::post,
                                        std::move(target),
                                        {},
                                        std::move(body),
                                        [&](std::string_view bytes) { parser.feed(bytes); }},
                                       loop.timers->now() + 2 * patience);
  static_cast<void>(done);  // what was not seen is an error of the round
  watch.ended = true;
  watch.changed.notify_all();
}

// The process that executes a run.
Task<Result<int>> busy_worker(SystemWorld& loop, net::HttpClient& http) {
  const auto answer = co_await call(loop, http, Method::get, "/api/v1/workers");
  if (!answer) co_return fail(answer.error());
  for (const auto worker : json::View(*answer)["workers"].elements())
    if (const auto pid = worker["pid"].integer(); worker["running"].integer() == 1 && pid > 1)
      co_return static_cast<int>(*pid);
  co_return fail(Errc::internal, "no worker executes the run");
}

// Begins a run, lets `kill` end the process that executes it, and measures until another goes on with it.
Task<Result<Duration>> survive(SystemWorld& loop, const std::string& url, std::function<void(int)> kill) {
  auto http = net::make_http_client(loop.io, loop.env, url);
  auto stream = net::make_http_client(loop.io, loop.env, url);
  if (!http || !stream) co_return fail(http ? stream.error() : http.error());
  const auto path = "/threads/" + make_uuid7(loop.env) + "/runs";
  Watch watch(loop);
  spawn(loop.io.get_executor(), "bench reader", follow(loop, **stream, path + "/stream", watch));
  Result<Duration> took = fail(Errc::timeout, "the run does not begin");
  if (co_await watch.wait_for(1)) {
    const auto victim = co_await busy_worker(loop, **http);
    const auto killed_at = loop.timers->now();
    if (victim) kill(*victim);
    if (!victim) {
      took = fail(victim.error());
    } else if (co_await watch.wait_for(2)) {
      took = watch.seen_at - killed_at;
    } else {
      took = fail(Errc::timeout, "no other worker goes on with the run");
    }
  }
  co_await call(loop, **http, Method::post, fmt::format("{}/{}/cancel?wait=1", path, watch.run_id));
  co_await watch.wait_for_end();
  co_return took;
}

void note(Samples& samples, const Result<Duration>& took) {
  if (took) {
    samples.add(*took);
  } else {
    samples.add_error(took.error().message);
  }
}

Task<Result<Row>> seen_by_its_supervisor(Bench& bench) {
  auto target = co_await Target::start(bench, {.processes = workers, .slots = 1});
  if (!target) co_return fail(target.error());
  Row row{"recovery, worker killed", 1, {}};
  for (int round = 0; round < rounds; ++round) {
    if (auto ready = co_await (*target)->wait_for_workers(workers); !ready) co_return fail(ready.error());
    note(row.samples,
         co_await survive(bench.loop, (*target)->url(), [](int worker) { ::kill(worker, SIGKILL); }));
  }
  co_await (*target)->stop();
  co_return row;
}

Task<Result<Row>> with_its_supervisor(Bench& bench) {
  auto target = co_await Target::start(bench, {.worker = false});
  if (!target) co_return fail(target.error());
  Row row{"recovery, supervisor killed too", 1, {}};
  std::vector<std::unique_ptr<Process>> programs;
  for (int round = 0; round < rounds; ++round) {
    while (programs.size() < workers) {
      auto program = (*target)->start_worker(1, 1);
      if (!program) co_return fail(program.error());
      programs.push_back(std::move(*program));
    }
    if (auto ready = co_await (*target)->wait_for_workers(workers); !ready) co_return fail(ready.error());
    const auto kill = [&programs](int worker) {
      const auto supervisor = number_of(fmt::format("/proc/{}/status", worker), "PPid:");
      // A program that is destroyed is killed.
      std::erase_if(programs, [&](const auto& program) { return program->pid() == supervisor; });
      ::kill(worker, SIGKILL);
    };
    note(row.samples, co_await survive(bench.loop, (*target)->url(), kill));
  }
  programs.clear();
  co_await (*target)->stop();
  co_return row;
}

// Whether the instance does what one of all does at a time.
Task<bool> leads(SystemWorld& loop, net::HttpClient& http) {
  const auto metrics = co_await call(loop, http, Method::get, "/metrics");
  co_return metrics && metrics->contains("\nduragraph_leader 1\n");
}

// From now until the instance leads.
Task<Result<Duration>> until_leader(SystemWorld& loop, net::HttpClient& http) {
  const auto began = loop.timers->now();
  while (!co_await leads(loop, http)) {
    if (loop.timers->now() > began + patience) co_return fail(Errc::timeout, "no other instance leads");
    co_await sleep_for(*loop.timers, std::chrono::milliseconds(10));
  }
  co_return loop.timers->now() - began;
}

Task<void> note_leader(SystemWorld& loop, net::HttpClient& http, Samples& samples, bool& done,
                       Signal& ended) {
  note(samples, co_await until_leader(loop, http));
  done = true;
  ended.notify_all();
}

// What stands still when an instance is killed.
struct Failover {
  Row runs{"failover, run goes on", 1, {}};
  Row leader{"failover, another leads", 1, {}};
};

// Two instances: the first, which leads and where the worker is connected, is killed. The run is followed at
// the other.
Task<Status> fail_over(SystemWorld& loop, ServeTarget& target, Balancer& balancer, Failover& rows) {
  const auto survivor = target.urls().back();
  auto http = net::make_http_client(loop.io, loop.env, survivor);
  auto stream = net::make_http_client(loop.io, loop.env, survivor);
  auto other = net::make_http_client(loop.io, loop.env, target.url());
  if (!http || !stream || !other) co_return fail(Errc::internal, "no client for " + survivor);
  if (auto led = co_await until_leader(loop, **other); !led) co_return fail(led.error());
  const auto path = "/threads/" + make_uuid7(loop.env) + "/runs";
  Watch watch(loop);
  spawn(loop.io.get_executor(), "bench reader", follow(loop, **stream, path + "/stream", watch));
  if (!co_await watch.wait_for(1)) co_return fail(Errc::timeout, "the run does not begin");
  balancer.point_at(survivor);
  target.kill_instance();
  bool leads = false;
  Signal led(*loop.timers);
  spawn(loop.io.get_executor(), "bench leader", note_leader(loop, **http, rows.leader.samples, leads, led));
  const auto silence = co_await watch.silence_of(std::chrono::seconds(5));
  const bool same = watch.attempt == 1 && !watch.ended;
  note(rows.runs.samples, same ? Result<Duration>(silence) : fail(Errc::internal, "the run did not go on"));
  while (!leads) co_await led.wait();
  co_await call(loop, **http, Method::post, fmt::format("{}/{}/cancel?wait=1", path, watch.run_id));
  co_await watch.wait_for_end();
  co_return Status{};
}

}  // namespace

Task<Result<std::vector<Row>>> bench_failover(Bench& bench) {
  auto target = co_await ServeTarget::start(bench, *bench.deployment, {.worker = false});
  if (!target) co_return fail(target.error());
  auto balancer = Balancer::listen(bench.loop);
  if (!balancer) co_return fail(balancer.error());
  // Two: which of several others leads next is a matter of chance.
  while ((*target)->urls().size() > 2) (*target)->kill_instance();
  (*balancer)->point_at((*target)->url());
  const auto worker = (*target)->start_worker(1, 1, (*balancer)->url());
  if (!worker) co_return fail(worker.error());
  bench.progress("an instance is killed, and another goes on");
  Failover rows;
  for (int round = 0; round < rounds; ++round) {
    if (auto ready = co_await (*target)->wait_for_workers(1); !ready) co_return fail(ready.error());
    if (auto done = co_await fail_over(bench.loop, **target, **balancer, rows); !done)
      co_return fail(done.error());
    if (auto started = co_await (*target)->start_instance(); !started) co_return fail(started.error());
  }
  co_await (*target)->stop();
  rows.runs.note =
      "times are the longest silence of a stream of 100 tokens per second, read at the other instance";
  rows.leader.note = "times are from the kill";
  co_return std::vector{std::move(rows.runs), std::move(rows.leader)};
}

Task<Result<std::vector<Row>>> bench_recovery(Bench& bench) {
  std::vector<Row> rows;
  bench.progress("a worker is killed, and its supervisor sees it");
  auto seen = co_await seen_by_its_supervisor(bench);
  if (!seen) co_return fail(seen.error());
  rows.push_back(std::move(*seen));
  bench.progress("a worker and its supervisor are killed");
  auto both = co_await with_its_supervisor(bench);
  if (!both) co_return fail(both.error());
  rows.push_back(std::move(*both));
  for (auto& row : rows) row.note = "times are from the kill to what the graph said first on another worker";
  co_return rows;
}

}  // namespace dg::cli::bench
