// A PostgreSQL server for tests.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace dg::store::postgres::testing {

// The folder of the sources, below which test programs are built.
inline std::filesystem::path source_folder() {
  namespace fs = std::filesystem;
  for (auto folder = fs::canonical("/proc/self/exe").parent_path(); folder != folder.root_path();
       folder = folder.parent_path())
    if (fs::exists(folder / "scripts" / "postgres-server.sh")) return folder;
  throw std::runtime_error("scripts/postgres-server.sh is in no folder above the test program");
}

// The cluster that the tests of this process share: the one that DURAGRAPH_TEST_POSTGRES names by a
// superuser's URL, else one of its own, which starts when it is first asked for and ends with the process,
// however that ends.
class TestCluster {
 public:
  static const TestCluster& get() {
    static const TestCluster cluster;
    return cluster;
  }
  // A superuser's.
  const std::string& url() const { return url_; }

  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;

 private:
  TestCluster() {
    if (const char* const given = std::getenv("DURAGRAPH_TEST_POSTGRES");
        given != nullptr && *given != '\0') {
      url_ = given;
    } else {
      start();
    }
  }
  ~TestCluster() { stop(); }

  // The script lives as long as this end of its standard input is open, which the kernel sees to.
  void start() {
    std::array<int, 2> input{};
    std::array<int, 2> output{};
    if (::pipe2(input.data(), O_CLOEXEC) != 0 || ::pipe2(output.data(), O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe can be made");
    spawn_script(input[0], output[1]);
    ::close(input[0]);
    ::close(output[1]);
    hold_ = input[1];
    url_ = last_line(read_all(output[0]));
    ::close(output[0]);
    if (url_.starts_with("postgresql://")) return;
    stop();
    throw std::runtime_error("no PostgreSQL server could be started for the tests");
  }

  // In a session of its own, where a terminal's Ctrl-C does not reach it.
  void spawn_script(int input, int output) {
    const auto path = (source_folder() / "scripts" / "postgres-server.sh").string();
    std::string name = path, command = "hold", fast = "--fast";
    std::array<char*, 4> arguments{name.data(), command.data(), fast.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    const int failed =
        ::posix_spawn(&process_, path.c_str(), &actions, &attributes, arguments.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) process_ = 0;
  }

  void stop() {
    if (hold_ >= 0) ::close(hold_);
    hold_ = -1;
    if (process_ > 0) ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }

  static std::string read_all(int from) {
    std::string text;
    std::array<char, 4096> chunk{};
    for (ssize_t got = 0; (got = ::read(from, chunk.data(), chunk.size())) != 0;) {
      if (got > 0) text.append(chunk.data(), static_cast<std::size_t>(got));
      if (got < 0 && errno != EINTR) break;
    }
    return text;
  }
  static std::string last_line(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text.substr(text.rfind('\n') + 1);
  }

  std::string url_;
  int hold_ = -1;
  pid_t process_ = 0;
};

}  // namespace dg::store::postgres::testing
