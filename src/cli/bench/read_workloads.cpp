// Workloads that read, start and wait.
#include <fmt/format.h>

#include <random>

#include "base/json.hpp"
#include "cli/bench/dev_target.hpp"
#include "cli/bench/limits.hpp"
#include "cli/bench/workloads.hpp"

namespace dg::cli::bench {
namespace {

using net::Method;

double in_ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// A thread on which the three-node graph has run.
Task<Result<std::string>> make_thread(SystemWorld& loop, net::HttpClient& http) {
  const auto id = make_uuid7(loop.env);
  const auto done =
      co_await call(loop, http, Method::post, "/threads/" + id + "/runs/wait",
                    R"({"assistant_id":"steps","input":{"steps":[]},"if_not_exists":"create"})");
  if (!done) co_return fail(done.error());
  co_return id;
}

constexpr int startups = 10;
constexpr double mebibyte = 1024 * 1024;

// Waits at most half a second, so that no client of the bench is seen any more.
Task<double> idle_memory(Bench& bench, const Target& target) {
  co_await sleep_for(*bench.loop.timers, std::chrono::milliseconds(500));
  co_return static_cast<double>(target.memory()) / mebibyte;
}

// Words that never come in the same order, so that a conversation compresses about as well as people's do.
class Prose {
 public:
  std::string next(std::size_t size) {
    std::string out;
    while (out.size() < size) (out += words_[random_() % words_.size()]) += ' ';
    out.resize(size);
    return out;
  }

 private:
  static std::vector<std::string> make_words(std::mt19937& random) {
    constexpr std::string_view letters = "aaeeiioubcdfghlmnprst";
    std::vector<std::string> words(4000);
    for (auto& word : words)
      for (auto size = 2 + random() % 8; size > 0; --size) word += letters[random() % letters.size()];
    return words;
  }

  std::mt19937 random_{1};
  std::vector<std::string> words_ = make_words(random_);
};

}  // namespace

Task<Result<std::vector<Row>>> bench_startup(Bench& bench) {
  Row first{"startup, empty folder", 0, {}};
  Row again{"startup, again", 0, {}};
  bench.progress("starting");
  double memory = 0;
  for (int i = 0; i < startups; ++i) {
    const ScratchFolder scratch("bench");
    if (auto written = write_files(bench_files(), scratch.path()); !written) co_return fail(written.error());
    for (auto* row : {&first, &again}) {
      auto target = co_await DevTarget::start_in(bench, scratch.path());
      if (!target) co_return fail(target.error());
      row->samples.add((*target)->first_answer());
      if (row == &again && i + 1 == startups) memory = co_await idle_memory(bench, **target);
      co_await (*target)->stop();
    }
  }
  again.figures = {{"idle MiB", memory}};
  co_return std::vector{std::move(first), std::move(again)};
}

Task<Result<std::vector<Row>>> bench_state(Bench& bench) {
  auto target = co_await Target::start(bench, {});
  if (!target) co_return fail(target.error());
  auto& loop = bench.loop;
  auto http = net::make_http_client(loop.io, loop.env, (*target)->url());
  if (!http) co_return fail(http.error());
  const auto thread = co_await make_thread(loop, **http);
  if (!thread) co_return fail(thread.error());
  const auto path = "/threads/" + *thread + "/state";
  const auto body = co_await call(loop, **http, Method::get, path);
  if (!body) co_return fail(body.error());

  bench.progress("reading a thread's state");
  const Load load{.clients = 8, .duration = bench.duration};
  Row row{"state", load.clients, {}};
  row.samples = co_await drive(loop, (*target)->urls(), load,
                               [&](Client client) { return get(loop, client.http, path); });
  co_await (*target)->stop();
  bench.progress("the same bytes from memory");
  const MemoryServer memory(*body);
  const auto limit = co_await drive(loop, {memory.url()}, load,
                                    [&](Client client) { return get(loop, client.http, "/bytes"); });
  row.limits = {{"from memory/s", limit.per_second()}};
  row.figures = {{"bytes", static_cast<double>(body->size())}};
  co_return std::vector{std::move(row)};
}

Task<Result<std::vector<Row>>> bench_chat(Bench& bench) {
  struct Conversation {
    int turns;
    std::size_t bytes;  // of a turn: half the question, half the answer
  };
  std::vector<Row> rows;
  for (const auto [turns, bytes] : {Conversation{400, 500}, Conversation{2000, 2000}}) {
    bench.progress(fmt::format("{} turns of {} bytes", turns, bytes));
    auto target = co_await Target::start(bench, {});
    if (!target) co_return fail(target.error());
    auto& loop = bench.loop;
    auto http = net::make_http_client(loop.io, loop.env, (*target)->url());
    if (!http) co_return fail(http.error());
    Prose prose;
    const auto path = "/threads/" + make_uuid7(loop.env);
    Row row{fmt::format("chat, {} turns of {} bytes", turns, bytes), 1, {}};
    const auto began = loop.timers->now();
    for (int turn = 0; turn < turns; ++turn) {
      const auto body = fmt::format(
          R"({{"assistant_id":"chat","if_not_exists":"create","input":{{"messages":[{{"role":"user","content":"{}"}}],"reply":"{}"}}}})",
          prose.next(bytes / 2), prose.next(bytes / 2));
      const auto asked = loop.timers->now();
      const auto made = co_await call(loop, **http, Method::post, path + "/runs", body);
      if (!made) co_return fail(made.error());
      // Joined by its end rather than its result, whose transfer grows with every turn.
      const auto run = fmt::format("{}/runs/{}", path, json::View(*made)["run_id"].string());
      while (true) {
        const auto now = co_await call(loop, **http, Method::get, run);
        if (!now) co_return fail(now.error());
        const auto status = json::View(*now)["status"].string();
        if (status == "success") break;
        if (status != "pending" && status != "running")
          co_return fail(Errc::internal, "a turn ended in " + status);
        co_await sleep_for(*loop.timers, std::chrono::milliseconds(1));
      }
      row.samples.add(loop.timers->now() - asked);
    }
    row.samples.set_seconds(in_ms(loop.timers->now() - began) / 1000);
    const auto state = co_await call(loop, **http, Method::get, path + "/state");
    if (!state) co_return fail(state.error());
    co_await (*target)->stop();
    const auto on_disk = static_cast<double>((*target)->bytes_on_disk());
    const auto final_size = static_cast<double>(json::View(*state)["values"].raw().size());
    row.figures = {{"MB on disk", on_disk / 1e6},
                   {"bytes per turn", on_disk / turns},
                   {"times the final state", on_disk / final_size}};
    rows.push_back(std::move(row));
  }
  co_return rows;
}

}  // namespace dg::cli::bench
