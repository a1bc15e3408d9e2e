#include "cli/bench/dev_target.hpp"

#include <fmt/format.h>

#include <csignal>

#include "cli/bench/limits.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace dg::cli::bench {

DevTarget::DevTarget(Bench& bench) : Target(bench.loop, environment_of(bench.python)) {}

Task<Result<std::unique_ptr<Target>>> DevTarget::start(Bench& bench, TargetOptions options) {
  auto target = std::unique_ptr<DevTarget>(new DevTarget(bench));
  if (auto made = target->make_project(); !made) co_return fail(made.error());
  if (auto launched = co_await target->launch(options); !launched) co_return fail(launched.error());
  if (options.worker) {
    if (auto serves = co_await target->wait_for_workers(options.processes); !serves)
      co_return fail(serves.error());
  }
  co_return target;
}

Task<Result<std::unique_ptr<DevTarget>>> DevTarget::start_in(Bench& bench,
                                                             const std::filesystem::path& folder) {
  auto target = std::unique_ptr<DevTarget>(new DevTarget(bench));
  target->folder_ = folder;
  if (auto launched = co_await target->launch({.worker = false}); !launched) co_return fail(launched.error());
  co_return target;
}

Task<Status> DevTarget::launch(TargetOptions options) {
  ChildOptions child;
  child.command = {own_program().string(),
                   "dev",
                   folder_.string(),
                   "--port=0",
                   "--no-reload",
                   fmt::format("--processes={}", options.processes),
                   fmt::format("--n-jobs-per-worker={}", options.slots)};
  if (!options.worker) child.command.emplace_back("--no-worker");
  child.directory = folder_.string();
  child.environment = environment_;
  const auto launched = loop_.timers->now();
  auto process = Process::start(loop_, child, "  API      ");
  if (!process) co_return fail(process.error());
  instances_.push_back(std::move(*process));
  const auto url = co_await instances_.front()->wait_for_mark();
  if (!url) co_return fail(url.error());
  urls_ = {*url};
  auto http = net::make_http_client(loop_.io, loop_.env, *url);
  if (!http) co_return fail(http.error());
  const auto answer = co_await call(loop_, **http, net::Method::get, "/ok");
  first_answer_ = loop_.timers->now() - launched;
  co_return answer ? Status{} : fail(answer.error());
}

std::int64_t DevTarget::bytes_on_disk() const {
  std::int64_t bytes = 0;
  for (const auto* const suffix : {"", "-wal"}) {
    std::error_code error;
    const auto size = std::filesystem::file_size(database().string() + suffix, error);
    if (!error) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

Result<std::unique_ptr<store::Store>> DevTarget::open_store() const {
  return store::open_sqlite(loop_.env, {.path = database().string()});
}

Task<void> DevTarget::stop() {
  return instances_.front()->stop(SIGTERM);
}

Result<BareStore> DevTarget::measure_bare_store(std::string_view what, Duration duration) const {
  return measure_bare_sqlite(database(), what, duration);
}

std::vector<std::pair<std::string, double>> DevTarget::rows_per_run() const {
  return sqlite_rows_per_run(database());
}

}  // namespace dg::cli::bench
