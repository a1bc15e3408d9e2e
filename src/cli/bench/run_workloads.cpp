// Workloads that create runs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/json.hpp"
#include "cli/bench/limits.hpp"
#include "cli/bench/workloads.hpp"
#include "cli/client/sse.hpp"

namespace dg::cli::bench {
namespace {

using net::Method;

constexpr std::string_view steps_body = R"({"assistant_id":"steps","input":{"steps":[]}})";

std::string threads_path(const std::string& id) {
  return "/threads/" + id;
}

// A thread, a run on it, and its result, as a client of LangGraph's does it.
Task<Status> run_steps(SystemWorld& loop, net::HttpClient& http) {
  const auto thread = co_await call(loop, http, Method::post, "/threads", "{}");
  if (!thread) co_return fail(thread.error());
  const auto id = json::View(*thread)["thread_id"].string();
  const auto result =
      co_await call(loop, http, Method::post, threads_path(id) + "/runs/wait", std::string(steps_body));
  if (!result) co_return fail(result.error());
  if (*result != R"({"steps":["a","b","c"]})")
    co_return fail(Errc::internal, "a run gave another result: " + *result);
  co_return Status{};
}

// What the instances of a server have written since they started.
struct Written {
  double commits = 0;
  double bytes = 0;
};

Task<Result<double>> commits_at(SystemWorld& loop, const std::string& url) {
  auto http = net::make_http_client(loop.io, loop.env, url);
  if (!http) co_return fail(http.error());
  const auto metrics = co_await call(loop, **http, Method::get, "/metrics", "");
  if (!metrics) co_return fail(metrics.error());
  constexpr std::string_view name = "\nduragraph_store_transactions_total ";
  const auto place = metrics->find(name);
  if (place == std::string::npos) co_return fail(Errc::internal, "/metrics does not tell of transactions");
  co_return std::strtod(metrics->c_str() + place + name.size(), nullptr);
}

Task<Result<Written>> written_by(SystemWorld& loop, Target& target) {
  Written written;
  for (const auto& url : target.urls()) {
    const auto commits = co_await commits_at(loop, url);
    if (!commits) co_return fail(commits.error());
    written.commits += *commits;
  }
  written.bytes = static_cast<double>(target.bytes_written());
  co_return written;
}

Task<Result<Row>> measure_runs(Bench& bench, Target& target, int clients, std::string name) {
  bench.progress(fmt::format("{} with {} clients", name, clients));
  auto& loop = bench.loop;
  Row row{std::move(name), clients, {}};
  const auto before = co_await written_by(loop, target);
  if (!before) co_return fail(before.error());
  row.samples = co_await drive(loop, target.urls(), {.clients = clients, .duration = bench.duration},
                               [&loop](Client client) { return run_steps(loop, client.http); });
  const auto after = co_await written_by(loop, target);
  if (!after) co_return fail(after.error());
  const auto runs = static_cast<double>(row.samples.count());
  row.figures = {{"commits per run", (after->commits - before->commits) / runs},
                 {target.what_is_written() + " per run", (after->bytes - before->bytes) / runs / 1024}};
  co_return row;
}

void add_rows_per_run(Row& row, const Target& target) {
  std::vector<std::string> tables;
  double all = 0;
  for (const auto& [table, count] : target.rows_per_run()) {
    tables.push_back(fmt::format("{} {:.3g}", table, count));
    all += count;
  }
  row.figures.emplace_back("rows per run", all);
  row.note = fmt::format("rows of a run and its thread: {}", fmt::join(tables, ", "));
}

// The time to the stream's head and first frame, and to the first frame of the graph itself.
Task<Status> stream_steps(SystemWorld& loop, net::HttpClient& http, Samples& first, Samples& graph) {
  const auto began = loop.timers->now();
  int frames = 0;
  SseParser parser([&](const SseEvent& event) {
    if (++frames == 1) first.add(loop.timers->now() - began);
    if (event.event == "updates" && json::View(event.data).find("a")) graph.add(loop.timers->now() - began);
  });
  const auto body = R"({"assistant_id":"steps","input":{"steps":[]},"stream_mode":["updates"]})";
  const auto done = co_await http.send(
      {Method::post, "/runs/stream", {}, body, [&parser](std::string_view bytes) { parser.feed(bytes); }},
      loop.timers->now() + std::chrono::seconds(60));
  co_return done ? Status{} : fail(done.error());
}

}  // namespace

Task<Result<std::vector<Row>>> bench_runs(Bench& bench) {
  std::vector<Row> rows;
  for (const int processes : {1, 2}) {
    auto target = co_await Target::start(bench, {.processes = processes});
    if (!target) co_return fail(target.error());
    const std::vector<int> counts = processes == 1 ? std::vector{1, 8, 32} : std::vector{32};
    for (const int clients : counts) {
      auto row = co_await measure_runs(bench, **target, clients,
                                       processes == 1 ? "runs" : fmt::format("runs, {} workers", processes));
      if (!row) co_return fail(row.error());
      rows.push_back(std::move(*row));
    }
    co_await (*target)->stop();
    if (processes == 1) add_rows_per_run(rows.front(), **target);
  }
  bench.progress("the bare graph");
  const auto bare = co_await measure_bare_graph(bench);
  if (!bare) co_return fail(bare.error());
  for (auto& row : rows)
    row.limits = {{"bare graph p50 ms", bare->p50_ms}, {"bare graph runs/s", bare->runs_per_second}};
  co_return rows;
}

Task<Result<std::vector<Row>>> bench_first_frame(Bench& bench) {
  auto target = co_await Target::start(bench, {});
  if (!target) co_return fail(target.error());
  auto& loop = bench.loop;
  bench.progress("first frames");
  Row first{"first-frame", 1, {}};
  Row graph{"first-frame of the graph", 1, {}};
  const auto whole = co_await drive(
      loop, (*target)->urls(), {.duration = bench.duration},
      [&](Client client) { return stream_steps(loop, client.http, first.samples, graph.samples); });
  for (auto* row : {&first, &graph}) row->samples.set_seconds(whole.seconds());
  co_await (*target)->stop();
  co_return std::vector{std::move(first), std::move(graph)};
}

}  // namespace dg::cli::bench
