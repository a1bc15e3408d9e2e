// A nats-server for tests: a real one, on a free port, with a folder of its own.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/scratch_folder.hpp"

namespace dg::bus::nats::testing {

// Runs until it is stopped or killed, or the test program ends in whatever way. It keeps its port.
class Server {
 public:
  struct Settings {
    bool jetstream = false;
    std::vector<std::string> arguments{};
  };
  explicit Server(Settings settings) : settings_(std::move(settings)), port_(free_port()) { start(); }
  Server() : Server(Settings{}) {}
  ~Server() { end(SIGKILL); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return "nats://" + address(); }

  void start() {
    std::vector<std::string> arguments{"nats-server", "-a", "127.0.0.1", "-p", std::to_string(port_)};
    if (settings_.jetstream) arguments.insert(arguments.end(), {"-js", "-sd", store()});
    arguments.insert(arguments.end(), settings_.arguments.begin(), settings_.arguments.end());
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    const auto log = (folder_.path() / "log").string();
    process_ = ::fork();
    if (process_ == 0) run(pointers.data(), log.c_str());
    await_answer();
  }
  void kill() { end(SIGKILL); }
  void pause() const { ::kill(process_, SIGSTOP); }
  void resume() const { ::kill(process_, SIGCONT); }
  // What it stored is gone; it must not run.
  void wipe() const { std::filesystem::remove_all(store()); }

 private:
  std::string store() const { return (folder_.path() / "store").string(); }

  // Debian has it in a folder that is not in everybody's PATH.
  [[noreturn]] static void run(char* const* arguments, const char* log) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = ::open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execvp(arguments[0], arguments);
    ::execv("/usr/sbin/nats-server", arguments);
    ::_exit(127);
  }

  void end(int signal) {
    if (process_ <= 0) return;
    ::kill(process_, SIGCONT);
    ::kill(process_, signal);
    ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }

  void await_answer() const {
    const auto guard = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!answers()) {
      if (::waitpid(process_, nullptr, WNOHANG) != 0) throw std::runtime_error("nats-server ended at once");
      if (std::chrono::steady_clock::now() > guard) throw std::runtime_error("nats-server does not answer");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  bool answers() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto to = loopback(port_);
    const bool connected = ::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    ::close(socket);
    return connected;
  }

  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  static int free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(socket);
    return ntohs(address.sin_port);
  }

  Settings settings_;
  ScratchFolder folder_{"nats"};
  int port_;
  pid_t process_ = 0;
};

}  // namespace dg::bus::nats::testing
