// Workloads of a deployment, whose runs a bare worker takes.
#include <fmt/format.h>

#include "base/json.hpp"
#include "cli/bench/bare_worker.hpp"
#include "cli/bench/workloads.hpp"

namespace dg::cli::bench {
namespace {

using net::Method;

constexpr Duration lease_patience = std::chrono::seconds(10);
constexpr std::string_view bare_body = R"({"assistant_id":"bare","input":{},"if_not_exists":"create"})";

std::string runs_path(const std::string& thread_id) {
  return fmt::format("/threads/{}/runs", thread_id);
}

// Creates a run at the first instance and measures how much later than the answer the last one's worker got
// it.
Task<Result<Duration>> claim_one(SystemWorld& loop, net::HttpClient& http, BareWorker& worker) {
  const auto made =
      co_await call(loop, http, Method::post, runs_path(make_uuid7(loop.env)), std::string(bare_body));
  const auto answered = loop.timers->now();
  if (!made) co_return fail(made.error());
  const auto leased =
      co_await worker.leased(std::string(json::View(*made)["run_id"].string()), answered + lease_patience);
  if (!leased) co_return fail(leased.error());
  co_return std::max(*leased - answered, Duration{});
}

// The threads of runs that are under way, of which reads ask.
struct Sizing {
  std::vector<std::string> threads;
  std::size_t next = 0;
};

Task<Status> write_run(SystemWorld& loop, net::HttpClient& http, Sizing& sizing) {
  auto thread_id = make_uuid7(loop.env);
  const auto made = co_await call(loop, http, Method::post, runs_path(thread_id), std::string(bare_body));
  if (!made) co_return fail(made.error());
  sizing.threads.push_back(std::move(thread_id));
  co_return Status{};
}

Task<Status> read_state(SystemWorld& loop, net::HttpClient& http, Sizing& sizing) {
  if (sizing.threads.empty()) co_return co_await get(loop, http, "/ok");
  sizing.next = (sizing.next + 7919) % sizing.threads.size();
  co_return co_await get(loop, http, fmt::format("/threads/{}/state", sizing.threads[sizing.next]));
}

Task<void> keep_pace_into(SystemWorld& loop, std::vector<std::string> urls, Pace pace, Work work, Row& row,
                          int& open, Signal& ended) {
  row.samples = co_await keep_pace(loop, std::move(urls), pace, std::move(work));
  --open;
  ended.notify_all();
}

}  // namespace

Task<Result<std::vector<Row>>> bench_claim(Bench& bench) {
  auto target = co_await Target::start(bench, {.worker = false});
  if (!target) co_return fail(target.error());
  auto& loop = bench.loop;
  auto worker = co_await BareWorker::connect(
      loop,
      {.url = (*target)->urls().back(), .token = (*target)->worker_token(), .graph = "bare", .slots = 8});
  if (!worker) co_return fail(worker.error());
  auto http = net::make_http_client(loop.io, loop.env, (*target)->url());
  if (!http) co_return fail(http.error());
  bench.progress("claims by another instance");
  Row row{"claim", 1, {}};
  const auto began = loop.timers->now();
  while (loop.timers->now() < began + bench.duration) {
    const auto took = co_await claim_one(loop, **http, **worker);
    if (took) {
      row.samples.add(*took);
    } else {
      row.samples.add_error(took.error().message);
    }
  }
  row.samples.set_seconds(std::chrono::duration<double>(loop.timers->now() - began).count());
  row.note = "times are from the answer to the run's creation until the worker had it";
  co_await (*target)->stop();
  co_return std::vector{std::move(row)};
}

Task<Result<std::vector<Row>>> bench_sizing(Bench& bench) {
  constexpr double per_second = 500;
  auto target = co_await Target::start(bench, {.worker = false});
  if (!target) co_return fail(target.error());
  auto& loop = bench.loop;
  auto worker = co_await BareWorker::connect(loop, {.url = (*target)->urls().back(),
                                                    .token = (*target)->worker_token(),
                                                    .graph = "bare",
                                                    .slots = 2000,
                                                    .takes = std::chrono::seconds(1)});
  if (!worker) co_return fail(worker.error());
  bench.progress("500 runs and 500 reads per second");
  Sizing sizing;
  const Pace pace{.per_second = per_second, .duration = bench.duration};
  Row writes{"sizing, runs created", pace.clients, {}};
  Row reads{"sizing, states read", pace.clients, {}};
  int open = 2;
  Signal ended(*loop.timers);
  spawn(loop.io.get_executor(), "bench pace",
        keep_pace_into(
            loop, (*target)->urls(), pace,
            [&](Client client) { return write_run(loop, client.http, sizing); }, writes, open, ended));
  spawn(loop.io.get_executor(), "bench pace",
        keep_pace_into(
            loop, (*target)->urls(), pace,
            [&](Client client) { return read_state(loop, client.http, sizing); }, reads, open, ended));
  while (open > 0) co_await ended.wait();
  writes.figures = {{"runs ended by then", static_cast<double>((*worker)->ended())}};
  writes.note = reads.note = "times are from when a request was due";
  co_await (*target)->stop();
  co_return std::vector{std::move(writes), std::move(reads)};
}

}  // namespace dg::cli::bench
