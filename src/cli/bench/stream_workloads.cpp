// Workloads of streams.
#include <fmt/format.h>
#include <sys/resource.h>

#include "base/json.hpp"
#include "cli/bench/limits.hpp"
#include "cli/bench/workloads.hpp"
#include "cli/client/sse.hpp"

namespace dg::cli::bench {
namespace {

using net::Method;

constexpr int tokens_per_second = 50;
// Of a stream, until all its readers are there.
constexpr int seconds_to_come = 3;

std::string tokens_body(int count, double per_second) {
  return fmt::format(
      R"({{"assistant_id":"tokens","input":{{"count":{},"per_second":{}}},"stream_mode":["custom"]}})", count,
      per_second);
}

// What the readers of streams share. It outlives them.
struct Reading {
  explicit Reading(SystemWorld& the_loop) : loop(the_loop), ended(*loop.timers) {}

  SystemWorld& loop;
  Samples late;   // how much later than it was made each token came
  int open = 0;   // streams that have not ended
  int begun = 0;  // streams of which some frame came
  Signal ended;
};

// Follows a stream and notes how late its tokens are.
Task<void> read_tokens(Reading& reading, std::string url, Method method, std::string target,
                       std::string body) {
  auto& loop = reading.loop;
  bool begun = false;
  SseParser parser([&](const SseEvent& event) {
    if (!begun) ++reading.begun;
    begun = true;
    const auto at = json::View(event.data)["at"].number();
    if (event.event != "custom" || !at) return;
    const auto made = WallTime(std::chrono::microseconds(static_cast<std::int64_t>(*at * 1e6)));
    reading.late.add(loop.clock->now() - made);
  });
  auto http = net::make_http_client(loop.io, loop.env, url);
  if (http) {
    const auto done = co_await (*http)->send(
        {method, std::move(target), {}, std::move(body), [&](std::string_view bytes) { parser.feed(bytes); }},
        loop.timers->now() + std::chrono::seconds(120));
    if (!done) reading.late.add_error(done.error().message);
    if (done && done->status >= 400) reading.late.add_error(fmt::format("status {}", done->status));
  } else {
    reading.late.add_error(http.error().message);
  }
  --reading.open;
  reading.ended.notify_all();
}

// Begins a run that streams tokens; its path.
Task<Result<std::string>> begin_tokens(SystemWorld& loop, net::HttpClient& http, std::string body) {
  const auto made = co_await call(loop, http, Method::post, "/runs", std::move(body));
  if (!made) co_return fail(made.error());
  const json::View run(*made);
  co_return fmt::format("/threads/{}/runs/{}", run["thread_id"].string(), run["run_id"].string());
}

// Opens that many readers of one stream, and gives how many of them got its first frames in time. No more
// connections are begun at once than a server's backlog holds.
Task<int> open_readers(Reading& reading, int count, std::string url, std::string path) {
  constexpr int at_once = 100;
  auto& loop = reading.loop;
  const auto deadline = loop.timers->now() + std::chrono::seconds(60);
  int opened = 0;
  while (reading.begun < count && loop.timers->now() < deadline) {
    for (; opened < count && opened < reading.begun + at_once; ++opened) {
      ++reading.open;
      spawn(loop.io.get_executor(), "bench reader", read_tokens(reading, url, Method::get, path, ""));
    }
    co_await sleep_for(*loop.timers, std::chrono::milliseconds(1));
  }
  co_return reading.begun;
}

// 10,000, or what the system lets a process open beside other files.
int most_streams() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min<rlim_t>(10'000, limit.rlim_cur - std::min<rlim_t>(limit.rlim_cur, 200)));
}

int seconds_of(const Bench& bench) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(bench.duration).count());
}

// Lets that many read one stream. What they read until all are there is not measured.
Task<Result<Row>> measure_readers(Bench& bench, int readers, int per_second) {
  auto target = co_await Target::start(bench, {});
  if (!target) co_return fail(target.error());
  bench.progress(fmt::format("{} readers of one stream", readers));
  auto& loop = bench.loop;
  auto http = net::make_http_client(loop.io, loop.env, (*target)->url());
  if (!http) co_return fail(http.error());
  const auto path = co_await begin_tokens(
      loop, **http, tokens_body((seconds_of(bench) + seconds_to_come) * per_second, per_second));
  if (!path) co_return fail(path.error());
  Reading reading(loop);
  const auto held = co_await open_readers(reading, readers, (*target)->url(), *path + "/stream");
  reading.late.forget_times();
  const auto began = loop.timers->now();
  while (reading.open > 0) co_await reading.ended.wait();
  reading.late.set_seconds(std::chrono::duration<double>(loop.timers->now() - began).count());
  co_await (*target)->stop();
  Row row{"readers", readers, std::move(reading.late)};
  row.figures = {{"streams held", held}, {"tokens per s", per_second}};
  row.note = "times are how much later than it was made a token was read";
  co_return row;
}

}  // namespace

Task<Result<std::vector<Row>>> bench_tokens(Bench& bench) {
  std::vector<Row> rows;
  for (const int streams : {20, 200}) {
    auto target = co_await Target::start(bench, {.processes = streams > 50 ? 2 : 1, .slots = streams});
    if (!target) co_return fail(target.error());
    bench.progress(fmt::format("{} streams of {} tokens/s", streams, tokens_per_second));
    auto& loop = bench.loop;
    Reading reading(loop);
    reading.open = streams;
    const auto before = (*target)->bytes_on_disk();
    const auto began = loop.timers->now();
    for (int i = 0; i < streams; ++i)
      spawn(loop.io.get_executor(), "bench reader",
            read_tokens(reading, (*target)->urls()[static_cast<std::size_t>(i) % (*target)->urls().size()],
                        Method::post, "/runs/stream",
                        tokens_body(seconds_of(bench) * tokens_per_second, tokens_per_second)));
    while (reading.open > 0) co_await reading.ended.wait();
    const auto took = std::chrono::duration<double>(loop.timers->now() - began).count();
    co_await (*target)->stop();
    reading.late.set_seconds(took);
    Row row{fmt::format("tokens, {} streams", streams), streams, std::move(reading.late)};
    const auto grown = static_cast<double>((*target)->bytes_on_disk() - before);
    row.figures = {{"bytes on disk per token", grown / static_cast<double>(row.samples.count())}};
    const auto bare = co_await measure_bare_tokens(bench, streams, tokens_per_second);
    if (!bare) co_return fail(bare.error());
    row.limits = {{"bare graph p50 ms", bare->p50_ms},
                  {"bare graph p99 ms", bare->p99_ms},
                  {"bare graph tokens/s", bare->per_second}};
    row.note = "times are how much later than it was made a token was read";
    rows.push_back(std::move(row));
  }
  co_return rows;
}

Task<Result<std::vector<Row>>> bench_readers(Bench& bench) {
  std::vector<Row> rows;
  for (const auto& [readers, per_second] : {std::pair{100, 50}, std::pair{1000, 5}}) {
    auto row = co_await measure_readers(bench, readers, per_second);
    if (!row) co_return fail(row.error());
    rows.push_back(std::move(*row));
  }
  co_return rows;
}

Task<Result<std::vector<Row>>> bench_idle(Bench& bench) {
  const int streams = most_streams();
  auto target = co_await Target::start(bench, {});
  if (!target) co_return fail(target.error());
  bench.progress(fmt::format("{} idle streams", streams));
  auto& loop = bench.loop;
  auto http = net::make_http_client(loop.io, loop.env, (*target)->url());
  if (!http) co_return fail(http.error());
  const auto before = (*target)->memory();
  // One token, then nothing for as long as it takes.
  const auto path = co_await begin_tokens(loop, **http, tokens_body(2, 0.001));
  if (!path) co_return fail(path.error());
  Reading reading(loop);
  const auto held = co_await open_readers(reading, streams, (*target)->url(), *path + "/stream");
  const auto memory = static_cast<double>((*target)->memory() - before);
  Row row{"idle", streams, {}};
  row.samples = co_await drive(loop, (*target)->urls(), {.duration = bench.duration},
                               [&](Client client) { return get(loop, client.http, *path); });
  const auto cancelled = co_await call(loop, **http, Method::post, *path + "/cancel?wait=1");
  if (!cancelled) co_return fail(cancelled.error());
  while (reading.open > 0) co_await reading.ended.wait();
  co_await (*target)->stop();
  row.figures = {{"streams held", held}, {"KiB per stream", memory / 1024 / streams}};
  row.note = "times are those of a client that reads the run beside the waiting streams";
  co_return std::vector{std::move(row)};
}

}  // namespace dg::cli::bench
