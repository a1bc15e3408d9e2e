// A child process with pipes, on the event loop.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/async.hpp"
#include "base/result.hpp"
#include "cli/project/dotenv.hpp"

namespace dg::cli {

struct ChildOptions {
  std::vector<std::string> command;  // the program's path and its arguments
  std::string directory;
  Environment environment;  // the whole of it
};

struct ChildExit {
  int code = 0;    // when it ended by itself
  int signal = 0;  // that ended it; 0 for none
};

// A running process in a process group of its own, so that the terminal's Ctrl-C does not reach it.
// Destroying the object kills what still runs.
class Child {
 public:
  using Line = std::function<void(std::string line)>;

  static Result<std::shared_ptr<Child>> start(boost::asio::io_context& io, const ChildOptions& options);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int pid() const { return pid_; }
  // Calls `output` for each line of its standard output and error and `event` for each line of its
  // file descriptor 3, and returns how it ended, after the last line. Call it once.
  Task<ChildExit> run(std::shared_ptr<Child> self, Line output, Line event);
  // Writes a line to its standard input; a process that does not read loses it.
  void tell(const std::string& line);
  void close_input();
  void kill(int signal);
  // Whether it exists and is neither stopped nor dead.
  bool is_going() const;

 private:
  using Pipe = boost::asio::posix::basic_stream_descriptor<Executor>;
  explicit Child(boost::asio::io_context& io);
  // Waits for the end, without ever holding the loop; the status as waitpid gives it.
  Task<int> reap();
  static Task<void> read_lines(std::shared_ptr<Child> self, Pipe& pipe, Line line);

  int pid_ = -1;
  bool ended_ = false;
  int open_pipes_ = 0;
  int input_ = -1;
  Pipe output_;
  Pipe errors_;
  Pipe events_;
  Pipe exit_;  // a pidfd: readable once the process has ended
};

}  // namespace dg::cli
