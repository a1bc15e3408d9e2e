// Workloads of what is written durably, beside the same rows written with nothing in between.
#include <fmt/format.h>

#include <algorithm>

#include "app/changes.hpp"
#include "cli/bench/limits.hpp"
#include "cli/bench/workloads.hpp"

namespace dg::cli::bench {
namespace {

using net::Method;

constexpr int writers = 64;

// A thread that is made and patched twice: three events and its row.
store::Commit three_events(const Env& env) {
  store::Commit commit;
  commit.at = env.clock.now();
  domain::Thread thread;
  thread.id = make_uuid7(env);
  app::append_thread(commit, thread, domain::ThreadCreated{});
  app::append_thread(commit, thread, domain::ThreadPatched{R"({"topic":"bench"})"});
  app::append_thread(commit, thread, domain::ThreadPatched{R"({"step":2})"});
  commit.changes.emplace_back(store::PutThread{thread});
  return commit;
}

struct Appending {
  explicit Appending(SystemWorld& the_loop) : loop(the_loop), ended(*loop.timers) {}

  SystemWorld& loop;
  SteadyTime end;
  Samples samples;
  int running = 0;
  Signal ended;
};

Task<void> append_until_the_end(Appending& appending, store::Store& store) {
  const auto& timers = *appending.loop.timers;
  while (timers.now() < appending.end) {
    const auto began = timers.now();
    const auto done = co_await store.commit(three_events(appending.loop.env));
    if (done) {
      appending.samples.add(timers.now() - began);
    } else {
      appending.samples.add_error(done.error().message);
      co_await sleep_for(*appending.loop.timers, std::chrono::milliseconds(10));
    }
  }
  --appending.running;
  appending.ended.notify_all();
}

// Runs that are due in an hour, so that nobody executes them.
Task<Status> create_run(SystemWorld& loop, net::HttpClient& http) {
  const auto body =
      R"({"assistant_id":"steps","input":{"steps":[]},"if_not_exists":"create","after_seconds":3600})";
  const auto made =
      co_await call(loop, http, Method::post, fmt::format("/threads/{}/runs", make_uuid7(loop.env)), body);
  co_return made ? Status{} : fail(made.error());
}

// Within how many seconds of its commit each event was stored in NATS, as the buckets of the first instance's
// histogram say; nothing where none was.
Task<std::optional<double>> relay_delay(SystemWorld& loop, std::string url) {
  auto http = net::make_http_client(loop.io, loop.env, url);
  if (!http) co_return std::nullopt;
  const auto metrics = co_await call(loop, **http, Method::get, "/metrics");
  if (!metrics) co_return std::nullopt;
  constexpr std::string_view bucket = "duragraph_outbox_delay_seconds_bucket{le=\"";
  std::optional<double> within;
  double counted = 0;
  for (auto at = metrics->find(bucket); at != std::string::npos; at = metrics->find(bucket, at + 1)) {
    char* bound_end = nullptr;
    const auto bound = std::strtod(metrics->c_str() + at + bucket.size(), &bound_end);
    const auto count = std::strtod(std::strchr(bound_end, ' '), nullptr);
    if (count > std::exchange(counted, count)) within = bound;
  }
  co_return within;
}

}  // namespace

Task<Result<std::vector<Row>>> bench_append(Bench& bench) {
  auto target = co_await Target::start(bench, {.worker = false});
  if (!target) co_return fail(target.error());
  co_await (*target)->stop();
  auto store = (*target)->open_store();
  if (!store) co_return fail(store.error());
  bench.progress("appends of three events");
  auto& loop = bench.loop;
  Appending appending(loop);
  const auto began = loop.timers->now();
  appending.end = began + bench.duration;
  appending.running = writers;
  for (int i = 0; i < writers; ++i)
    spawn(loop.io.get_executor(), "bench writer", append_until_the_end(appending, **store));
  while (appending.running > 0) co_await appending.ended.wait();
  appending.samples.set_seconds(std::chrono::duration<double>(loop.timers->now() - began).count());
  store->reset();
  bench.progress("the same rows in a bare loop");
  const auto bare = (*target)->measure_bare_store("threads", bench.duration);
  if (!bare) co_return fail(bare.error());
  Row row{"append", writers, std::move(appending.samples)};
  row.limits = {{"bare rows of commits/s", bare->per_second}};
  row.figures = {{"rows per commit", bare->rows_each}, {"log bytes per commit", bare->bytes_each}};
  co_return std::vector{std::move(row)};
}

Task<Result<std::vector<Row>>> bench_create(Bench& bench) {
  auto target = co_await Target::start(bench, {.worker = false});
  if (!target) co_return fail(target.error());
  auto& loop = bench.loop;
  std::vector<Row> rows;
  for (const int clients : {1, writers}) {
    bench.progress(fmt::format("creating runs with {} clients", clients));
    Row row{"create", clients, {}};
    row.samples = co_await drive(loop, (*target)->urls(), {.clients = clients, .duration = bench.duration},
                                 [&loop](Client client) { return create_run(loop, client.http); });
    rows.push_back(std::move(row));
  }
  const auto delay = co_await relay_delay(loop, (*target)->url());
  co_await (*target)->stop();
  bench.progress("the same rows in a bare loop");
  const auto bare = (*target)->measure_bare_store("runs", bench.duration);
  if (!bare) co_return fail(bare.error());
  rows.front().limits = {{"flush of the disk p50 ms", measure_flush(std::chrono::seconds(1))}};
  rows.back().limits = {{"bare rows of runs/s", bare->per_second}};
  rows.back().figures = {{"rows per run", bare->rows_each}, {"log bytes per run", bare->bytes_each}};
  if (delay) rows.back().figures.emplace_back("told to NATS within s", *delay);
  co_return rows;
}

}  // namespace dg::cli::bench
