// What requests cost in a database that holds much, beside what they cost in an empty one.
#include <fmt/format.h>

#include <algorithm>
#include <array>

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

// A server, and what is stored there.
struct Side {
  std::string when;
  std::unique_ptr<Target> target{};
  Stored stored{};
  std::unique_ptr<BareWorker> worker{};
};
using Sides = std::array<Side, 2>;

Task<Status> start(Bench& bench, Side& side) {
  auto target = co_await Target::start(bench, {});
  if (!target) co_return fail(target.error());
  side.target = std::move(*target);
  auto http = net::make_http_client(bench.loop.io, bench.loop.env, side.target->url());
  if (!http) co_return fail(http.error());
  auto from = co_await make_template(bench.loop, **http);
  if (!from) co_return fail(from.error());
  side.stored.from = std::move(*from);
  co_return Status{};
}

// Fewer slots than clients: some runs find one, and others are claimed from the queue.
Task<Status> connect_worker(Bench& bench, Side& side) {
  auto worker = co_await BareWorker::connect(bench.loop, {.url = side.target->urls().back(),
                                                          .token = side.target->worker_token(),
                                                          .graph = "bare",
                                                          .slots = stored_clients / 2});
  if (!worker) co_return fail(worker.error());
  side.worker = std::move(*worker);
  co_return Status{};
}

Status seed(Bench& bench, Side& side) {
  const auto& database = static_cast<const ServeTarget&>(*side.target).conninfo();
  side.stored.copies = bench.seed_data;
  return seed_runs(database, side.stored.from, bench.seed_data, [&](std::int64_t count) {
    if (count % 100'000 == 0) bench.progress(fmt::format("{} runs are stored", count));
  });
}

// By turns, since a machine changes its speed from one minute to the next.
Task<void> measure(Bench& bench, Sides& sides, std::string_view what, std::function<Work(Side&)> work_at,
                   std::vector<Row>& rows) {
  bench.progress(std::string(what));
  const Load turn{.clients = stored_clients,
                  .warm_up = std::chrono::milliseconds(200),
                  .duration = std::min<Duration>(bench.duration, std::chrono::seconds(1))};
  const auto first = rows.size();
  for (const auto& side : sides) rows.push_back({fmt::format("{}, {}", what, side.when), stored_clients, {}});
  for (Duration measured{}; measured < bench.duration; measured += turn.duration)
    for (std::size_t i = 0; i < sides.size(); ++i)
      rows[first + i].samples.append(
          co_await drive(bench.loop, sides[i].target->urls(), turn, work_at(sides[i])));
}

Task<std::vector<Row>> measure_all(Bench& bench, Sides& sides) {
  auto& loop = bench.loop;
  std::vector<Row> rows;
  co_await measure(
      bench, sides, "run created, claimed and ended",
      [&](Side&) { return [&](Client client) { return whole_bare_run(loop, client.http); }; }, rows);
  const auto read = [&loop](std::string what) {
    return [&loop, what = std::move(what)](Side& side) {
      return [&loop, &side, what](Client client) {
        return get(loop, client.http, fmt::format("/threads/{}/{}", side.stored.thread_with_state(), what));
      };
    };
  };
  co_await measure(bench, sides, "state", read("state"), rows);
  co_await measure(bench, sides, "list of runs", read("runs"), rows);
  co_return rows;
}

}  // namespace

Task<Result<std::vector<Row>>> bench_stored(Bench& bench) {
  Sides sides{Side{"empty"}, Side{fmt::format("{} runs stored", bench.seed_data)}};
  for (auto& side : sides)
    if (auto started = co_await start(bench, side); !started) co_return fail(started.error());
  // Meanwhile a worker would have no time for heartbeats.
  if (auto seeded = seed(bench, sides.back()); !seeded) co_return fail(seeded.error());
  for (auto& side : sides)
    if (auto connected = co_await connect_worker(bench, side); !connected) co_return fail(connected.error());
  auto rows = co_await measure_all(bench, sides);
  for (auto& side : sides) co_await side.target->stop();
  co_return rows;
}

}  // namespace dg::cli::bench
