#include "cli/supervisor/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

namespace dg::cli {
namespace {

namespace asio = boost::asio;
constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable_t<Executor>{});
constexpr std::size_t line_bytes_max = 1u << 20;

struct PipeEnds {
  int read = -1;
  int write = -1;
  bool make() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (auto& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

Child::Child(asio::io_context& io) : output_(io), errors_(io), events_(io), exit_(io) {}

Child::~Child() {
  if (input_ >= 0) ::close(input_);
  if (pid_ > 0 && !ended_) {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

Result<std::shared_ptr<Child>> Child::start(asio::io_context& io, const ChildOptions& options) {
  PipeEnds in, out, err, event;
  if (!in.make() || !out.make() || !err.make() || !event.make())
    return fail(Errc::internal, fmt::format("a pipe cannot be made: {}", std::strerror(errno)));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write, 1);
  posix_spawn_file_actions_adddup2(&actions, err.write, 2);
  posix_spawn_file_actions_adddup2(&actions, event.write, 3);
  // Else the child would hold our sockets: the listening one keeps its port taken after our death.
  posix_spawn_file_actions_addclosefrom_np(&actions, 4);
  posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);

  auto command = options.command;
  std::vector<std::string> environment;
  for (const auto& [name, value] : options.environment)
    environment.push_back(fmt::format("{}={}", name, value));
  int pid = -1;
  const int failed = ::posix_spawn(&pid, command.front().c_str(), &actions, &attributes,
                                   pointers(command).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  for (const int end : {in.read, out.write, err.write, event.write}) ::close(end);
  if (failed != 0) {
    for (const int end : {in.write, out.read, err.read, event.read}) ::close(end);
    return fail(Errc::unavailable,
                fmt::format("{} cannot be started: {}", command.front(), std::strerror(failed)));
  }

  auto child = std::shared_ptr<Child>(new Child(io));
  child->pid_ = pid;
  child->input_ = in.write;
  ::fcntl(in.write, F_SETFL, O_NONBLOCK);
  child->output_.assign(out.read);
  child->errors_.assign(err.read);
  child->events_.assign(event.read);
  child->exit_.assign(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return child;
}

Task<void> Child::read_lines(std::shared_ptr<Child> self, Pipe& pipe, Line line) {
  std::string waiting;
  std::array<char, 16384> buffer{};
  while (true) {
    const auto [error, count] = co_await pipe.async_read_some(asio::buffer(buffer), use_tuple);
    if (error) break;
    waiting.append(buffer.data(), count);
    std::size_t start = 0;
    for (auto end = waiting.find('\n'); end != std::string::npos; end = waiting.find('\n', start)) {
      line(waiting.substr(start, end - start));
      start = end + 1;
    }
    waiting.erase(0, start);
    if (waiting.size() > line_bytes_max) line(std::exchange(waiting, {}));
  }
  if (!waiting.empty()) line(std::move(waiting));
  --self->open_pipes_;
}

Task<int> Child::reap() {
  int status = 0;
  // A wait may end early: what was reported for a descriptor that has just been closed can reach the one
  // that takes its place in the loop.
  do {
    co_await exit_.async_wait(Pipe::wait_read, use_tuple);
  } while (::waitpid(pid_, &status, WNOHANG) == 0);
  ended_ = true;
  co_return status;
}

Task<ChildExit> Child::run(std::shared_ptr<Child> self, Line output, Line event) {
  const auto executor = exit_.get_executor();
  open_pipes_ = 3;
  spawn(executor, "child's output", read_lines(self, output_, output));
  spawn(executor, "child's errors", read_lines(self, errors_, output));
  spawn(executor, "child's events", read_lines(self, events_, std::move(event)));
  const int status = co_await reap();
  // What it wrote last is read before its pipes are closed; its own children may keep them open.
  for (int tries = 0; tries < 50 && open_pipes_ > 0; ++tries)
    co_await asio::post(executor, asio::use_awaitable_t<Executor>{});
  boost::system::error_code ignored;
  for (auto* pipe : {&output_, &errors_, &events_}) pipe->close(ignored);
  ChildExit end;
  if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  co_return end;
}

void Child::tell(const std::string& line) {
  if (input_ < 0) return;
  const auto text = line + "\n";
  [[maybe_unused]] const auto written = ::write(input_, text.data(), text.size());
}

void Child::close_input() {
  if (input_ >= 0) ::close(std::exchange(input_, -1));
}

void Child::kill(int signal) {
  if (!ended_) ::kill(pid_, signal);
}

bool Child::is_going() const {
  if (ended_) return false;
  // proc(5): the state follows the command's name, which ends with the last parenthesis.
  std::ifstream in("/proc/" + std::to_string(pid_) + "/stat");
  std::string text;
  std::getline(in, text);
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size()) return false;
  constexpr std::string_view not_going = "TtZX";
  return not_going.find(text[name_end + 2]) == std::string_view::npos;
}

}  // namespace dg::cli
