#include "cli/bench/target.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "base/json.hpp"

extern char** environ;

namespace dg::cli::bench {
namespace {

namespace fs = std::filesystem;

constexpr Duration start_patience = std::chrono::seconds(60);
constexpr std::size_t kept_lines = 20;

}  // namespace

fs::path own_program() {
  return fs::read_symlink("/proc/self/exe");
}

Environment environment_of(const fs::path& python) {
  Environment out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) out[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  const auto environment = python.parent_path().parent_path();
  if (fs::exists(environment / "pyvenv.cfg")) out["VIRTUAL_ENV"] = environment.string();
  return out;
}

Task<Result<std::unique_ptr<Target>>> Target::start(SystemWorld& loop, TargetOptions options) {
  auto scratch = std::make_unique<ScratchFolder>("bench");
  if (auto written = write_files(bench_files(), scratch->path()); !written) co_return fail(written.error());
  auto target = co_await start_in(loop, scratch->path(), std::move(options));
  if (target) (*target)->scratch_ = std::move(scratch);
  co_return target;
}

Task<Result<std::unique_ptr<Target>>> Target::start_in(SystemWorld& loop, const fs::path& folder,
                                                       TargetOptions options) {
  auto target = std::unique_ptr<Target>(new Target(loop));
  target->folder_ = folder;
  if (auto launched = target->launch(options); !launched) co_return fail(launched.error());
  if (auto answers = co_await target->wait_for_answer(); !answers) co_return fail(answers.error());
  if (options.worker) {
    if (auto serves = co_await target->wait_for_workers(options.processes); !serves)
      co_return fail(serves.error());
  }
  co_return target;
}

Status Target::launch(const TargetOptions& options) {
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
  child.environment = environment_of(options.python);
  launched_ = loop_.timers->now();
  auto started = Child::start(loop_.io, child);
  if (!started) return fail(started.error());
  process_->child = std::move(*started);
  spawn(loop_.io.get_executor(), "bench server", run(process_));
  return {};
}

Target::~Target() {
  if (process_->child) process_->child->kill(SIGKILL);
}

Task<void> Target::run(std::shared_ptr<Process> process) {
  const auto child = process->child;
  co_await child->run(
      child, [process](const std::string& line) { process->heard(line); }, [](const std::string&) {});
  process->ended = true;
  process->changed.notify_all();
}

void Target::Process::heard(const std::string& line) {
  constexpr std::string_view mark = "  API      ";
  if (line.starts_with(mark)) url = line.substr(mark.size());
  lines.push_back(line);
  if (lines.size() > kept_lines) lines.erase(lines.begin());
  changed.notify_all();
}

std::string Target::Process::last_lines() const {
  std::string out;
  for (const auto& line : lines) out += "\n  " + line;
  return out;
}

Task<Status> Target::wait_for_answer() {
  const auto deadline = launched_ + start_patience;
  while (url().empty() && !process_->ended)
    if (!co_await process_->changed.wait_until(deadline)) break;
  if (url().empty()) co_return fail(Errc::unavailable, "the server does not start:" + process_->last_lines());
  auto http = net::make_http_client(loop_.io, loop_.env, url());
  if (!http) co_return fail(http.error());
  const auto answer = co_await call(loop_, **http, net::Method::get, "/ok");
  first_answer_ = loop_.timers->now() - launched_;
  co_return answer ? Status{} : fail(answer.error());
}

Task<Status> Target::wait_for_workers(int count) {
  const auto deadline = loop_.timers->now() + start_patience;
  auto http = net::make_http_client(loop_.io, loop_.env, url());
  if (!http) co_return fail(http.error());
  while (!process_->ended && loop_.timers->now() < deadline) {
    const auto answer = co_await call(loop_, **http, net::Method::get, "/api/v1/workers");
    if (!answer) co_return fail(answer.error());
    const auto workers = json::View(*answer)["workers"].elements();
    if (std::ranges::count_if(workers, [](json::View w) { return w["connected"].boolean() == true; }) >=
        count)
      co_return Status{};
    co_await sleep_for(*loop_.timers, std::chrono::milliseconds(20));
  }
  co_return fail(Errc::unavailable, "no worker serves:" + process_->last_lines());
}

std::int64_t number_of(const std::string& file, std::string_view name) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line))
    if (line.starts_with(name)) return std::strtoll(line.c_str() + name.size(), nullptr, 10);
  return 0;
}

std::int64_t Target::memory() const {
  return number_of(fmt::format("/proc/{}/smaps_rollup", process_->child->pid()), "Pss:") * 1024;
}

std::int64_t Target::bytes_written() const {
  return number_of(fmt::format("/proc/{}/io", process_->child->pid()), "write_bytes:");
}

std::int64_t Target::bytes_on_disk() const {
  std::int64_t bytes = 0;
  for (const auto* const suffix : {"", "-wal"}) {
    std::error_code error;
    const auto size = fs::file_size(database().string() + suffix, error);
    if (!error) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

Task<void> Target::stop() {
  process_->child->kill(SIGTERM);
  const auto deadline = loop_.timers->now() + std::chrono::seconds(15);
  while (!process_->ended)
    if (!co_await process_->changed.wait_until(deadline)) break;
  if (!process_->ended) process_->child->kill(SIGKILL);
}

}  // namespace dg::cli::bench
