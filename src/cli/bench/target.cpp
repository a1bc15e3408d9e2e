#include "cli/bench/target.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "cli/bench/dev_target.hpp"
#include "cli/bench/serve_target.hpp"
#include "cli/bench/workloads.hpp"

namespace dg::cli::bench {
namespace {

constexpr Duration worker_patience = std::chrono::seconds(60);

}  // namespace

Task<Result<std::unique_ptr<Target>>> Target::start(Bench& bench, TargetOptions options) {
  if (bench.deployment) co_return co_await ServeTarget::start(bench, *bench.deployment, options);
  co_return co_await DevTarget::start(bench, options);
}

Status Target::make_project() {
  scratch_ = std::make_unique<ScratchFolder>("bench");
  folder_ = scratch_->path();
  return write_files(bench_files(), folder_);
}

Task<Status> Target::wait_for_workers(int count) {
  const auto deadline = loop_.timers->now() + worker_patience;
  auto http = net::make_http_client(loop_.io, loop_.env, urls_.back());
  if (!http) co_return fail(http.error());
  const auto& instance = *instances_.back();
  while (!instance.has_ended() && loop_.timers->now() < deadline) {
    const auto answer = co_await call(loop_, **http, net::Method::get, "/api/v1/workers");
    if (!answer) co_return fail(answer.error());
    const auto listed = json::View(*answer)["workers"].elements();
    if (std::ranges::count_if(listed, [](json::View w) { return w["connected"].boolean() == true; }) >= count)
      co_return Status{};
    co_await sleep_for(*loop_.timers, std::chrono::milliseconds(20));
  }
  co_return fail(Errc::unavailable, "no worker serves:" + instance.last_lines());
}

std::string Target::worker_token() const {
  const auto found = environment_.find("DURAGRAPH_WORKER_TOKEN");
  return found == environment_.end() ? "" : found->second;
}

Result<std::unique_ptr<Process>> Target::start_worker(int processes, int slots, std::string server) const {
  if (server.empty()) server = urls_.back();
  ChildOptions options;
  options.command = ending_with_us(
      "KILL", {own_program().string(), "worker", folder_.string(), "--server=" + server,
               fmt::format("--processes={}", processes), fmt::format("--n-jobs-per-worker={}", slots)});
  options.directory = folder_.string();
  options.environment = environment_;
  return Process::start(loop_, options);
}

}  // namespace dg::cli::bench
