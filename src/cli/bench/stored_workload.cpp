// What requests cost in a database that holds much, beside what they cost in an empty one.
#include <fmt/format.h>

#include "base/json.hpp"
#include "cli/bench/bare_worker.hpp"
#include "cli/bench/seed_data.hpp"
#include "cli/bench/serve_target.hpp"
#include "cli/bench/workloads.hpp"

namespace dg::cli::bench {
namespace {

using net::Method;

constexpr int stored_clients = 8;

// What is asked: of the template as long as there is nothing else.
struct Stored {
  SeedTemplate from;
  std::int64_t copies = 0;
  std::int64_t asked = 0;

  // Another thread that has a state, each time.
  std::string thread_with_state() {
    const auto states = copies / copies_per_state;
    if (states == 0) return from.thread_id;
    asked += 7919;
    return id_of_copy(from.thread_id, (asked % states + 1) * copies_per_state);
  }
};

Task<Result<SeedTemplate>> make_template(SystemWorld& loop, net::HttpClient& http) {
  const auto made = co_await call(loop, http, Method::post, "/threads", "{}");
  if (!made) co_return fail(made.error());
  SeedTemplate from{std::string(json::View(*made)["thread_id"].string()), ""};
  const auto path = fmt::format("/threads/{}/runs", from.thread_id);
  const auto done = co_await call(loop, http, Method::post, path + "/wait",
                                  R"({"assistant_id":"steps","input":{"steps":[]}})");
  if (!done) co_return fail(done.error());
  const auto runs = co_await call(loop, http, Method::get, path);
  if (!runs) co_return fail(runs.error());
  from.run_id = json::View(*runs).elements().front()["run_id"].string();
  co_return from;
}

// Creates a run on a new thread and waits for its end, which a claim comes before wherever no slot is free.
Task<Status> whole_bare_run(SystemWorld& loop, net::HttpClient& http) {
  const auto done =
      co_await call(loop, http, Method::post, fmt::format("/threads/{}/runs/wait", make_uuid7(loop.env)),
                    R"({"assistant_id":"bare","input":{},"if_not_exists":"create"})");
  co_return done ? Status{} : fail(done.error());
}

Task<void> measure_all(Bench& bench, Target& target, Stored& stored, std::string_view when,
                       std::vector<Row>& rows) {
  auto& loop = bench.loop;
  const auto measure = [&](std::string_view what, Work work) -> Task<void> {
    bench.progress(fmt::format("{}, {}", what, when));
    Row row{fmt::format("{}, {}", what, when), stored_clients, {}};
    row.samples = co_await drive(loop, target.urls(), {.clients = stored_clients, .duration = bench.duration},
                                 std::move(work));
    rows.push_back(std::move(row));
  };
  co_await measure("run created, claimed and ended",
                   [&](Client client) { return whole_bare_run(loop, client.http); });
  co_await measure("state", [&](Client client) {
    return get(loop, client.http, fmt::format("/threads/{}/state", stored.thread_with_state()));
  });
  co_await measure("list of runs", [&](Client client) {
    return get(loop, client.http, fmt::format("/threads/{}/runs", stored.thread_with_state()));
  });
}

}  // namespace

Task<Result<std::vector<Row>>> bench_stored(Bench& bench) {
  auto target = co_await Target::start(bench, {});
  if (!target) co_return fail(target.error());
  auto& loop = bench.loop;
  auto http = net::make_http_client(loop.io, loop.env, (*target)->url());
  if (!http) co_return fail(http.error());
  auto from = co_await make_template(loop, **http);
  if (!from) co_return fail(from.error());
  // Fewer slots than clients: some runs find one, and others are claimed from the queue.
  const BareWorkerOptions bare{.url = (*target)->urls().back(),
                               .token = (*target)->worker_token(),
                               .graph = "bare",
                               .slots = stored_clients / 2};
  auto worker = co_await BareWorker::connect(loop, bare);
  if (!worker) co_return fail(worker.error());
  Stored stored{*from};
  std::vector<Row> rows;
  co_await measure_all(bench, **target, stored, "empty", rows);
  const auto& database = static_cast<const ServeTarget&>(**target).conninfo();
  const auto seeded = seed_runs(database, *from, bench.seed_data, [&](std::int64_t count) {
    if (count % 100'000 == 0) bench.progress(fmt::format("{} runs are stored", count));
  });
  if (!seeded) co_return fail(seeded.error());
  // Meanwhile the worker had no time for heartbeats.
  worker = co_await BareWorker::connect(loop, bare);
  if (!worker) co_return fail(worker.error());
  stored.copies = bench.seed_data;
  co_await measure_all(bench, **target, stored, fmt::format("{} runs stored", bench.seed_data), rows);
  co_await (*target)->stop();
  co_return rows;
}

}  // namespace dg::cli::bench
