#include "cli/bench/process.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <utility>

extern char** environ;

namespace dg::cli::bench {
namespace {

constexpr Duration process_patience = std::chrono::seconds(60);
constexpr Duration stop_patience = std::chrono::seconds(15);
constexpr std::size_t kept_lines = 20;

}  // namespace

std::filesystem::path own_program() {
  return std::filesystem::read_symlink("/proc/self/exe");
}

Environment environment_of(const std::filesystem::path& python) {
  Environment out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) out[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  const auto environment = python.parent_path().parent_path();
  if (std::filesystem::exists(environment / "pyvenv.cfg")) out["VIRTUAL_ENV"] = environment.string();
  return out;
}

std::vector<std::string> ending_with_us(std::string_view signal, std::vector<std::string> command,
                                        const std::string& user) {
  std::vector<std::string> out{"/usr/bin/setpriv", fmt::format("--pdeathsig={}", signal)};
  if (!user.empty()) {
    out.push_back("--reuid=" + user);
    out.push_back("--regid=" + user);
    out.emplace_back("--init-groups");
  }
  out.emplace_back("--");
  for (auto& word : command) out.push_back(std::move(word));
  return out;
}

std::int64_t number_of(const std::string& file, std::string_view name) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line))
    if (line.starts_with(name)) return std::strtoll(line.c_str() + name.size(), nullptr, 10);
  return 0;
}

Result<std::unique_ptr<Process>> Process::start(SystemWorld& loop, const ChildOptions& options,
                                                std::string mark) {
  auto child = Child::start(loop.io, options);
  if (!child) return fail(child.error());
  auto process = std::unique_ptr<Process>(new Process(loop, std::move(mark)));
  process->said_->child = std::move(*child);
  spawn(loop.io.get_executor(), "bench process", run(process->said_));
  return process;
}

Process::~Process() {
  if (!said_->ended) said_->child->kill(SIGKILL);
}

Task<void> Process::run(std::shared_ptr<Said> said) {
  const auto child = said->child;
  said->end = co_await child->run(
      child, [said](const std::string& line) { said->heard(line); }, [](const std::string&) {});
  said->ended = true;
  said->changed.notify_all();
}

void Process::Said::heard(const std::string& line) {
  const auto at = mark.empty() || !behind_mark.empty() ? std::string::npos : line.find(mark);
  if (at != std::string::npos) behind_mark = line.substr(at + mark.size());
  lines.push_back(line);
  if (lines.size() > kept_lines) lines.erase(lines.begin());
  changed.notify_all();
}

std::string Process::last_lines() const {
  std::string out;
  for (const auto& line : said_->lines) out += "\n  " + line;
  return out;
}

Task<Result<std::string>> Process::wait_for_mark() {
  const auto deadline = loop_.timers->now() + process_patience;
  while (said_->behind_mark.empty() && !said_->ended)
    if (!co_await said_->changed.wait_until(deadline)) break;
  if (said_->behind_mark.empty())
    co_return fail(Errc::unavailable, "the server does not start:" + last_lines());
  co_return said_->behind_mark;
}

Task<Status> Process::wait_for_success() {
  const auto deadline = loop_.timers->now() + process_patience;
  while (!said_->ended)
    if (!co_await said_->changed.wait_until(deadline)) break;
  if (!said_->ended || said_->end.code != 0 || said_->end.signal != 0)
    co_return fail(Errc::unavailable, last_lines());
  co_return Status{};
}

Task<void> Process::stop(int signal) {
  if (said_->ended) co_return;
  said_->child->kill(signal);
  const auto deadline = loop_.timers->now() + stop_patience;
  while (!said_->ended)
    if (!co_await said_->changed.wait_until(deadline)) break;
  if (!said_->ended) said_->child->kill(SIGKILL);
}

std::int64_t Process::memory() const {
  return number_of(fmt::format("/proc/{}/smaps_rollup", pid()), "Pss:") * 1024;
}

std::int64_t Process::bytes_written() const {
  return number_of(fmt::format("/proc/{}/io", pid()), "write_bytes:");
}

}  // namespace dg::cli::bench
