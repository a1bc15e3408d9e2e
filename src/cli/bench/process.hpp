// A process that a bench starts, and what it says.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/system_world.hpp"
#include "cli/supervisor/child.hpp"

namespace dg::cli::bench {

// Destroying it kills the process.
class Process {
 public:
  // Starts it. `mark` is the text behind which one of its lines says what the bench is to know of it.
  static Result<std::unique_ptr<Process>> start(SystemWorld& loop, const ChildOptions& options,
                                                std::string mark = "");
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int pid() const { return said_->child->pid(); }
  bool has_ended() const { return said_->ended; }
  // The lines that it printed last, for an error's message.
  std::string last_lines() const;
  // What stands behind the mark, as soon as it is said. unavailable, with its last lines, when that is not.
  Task<Result<std::string>> wait_for_mark();
  // Waits until it has ended. unavailable, with its last lines, when it does not or ends badly.
  Task<Status> wait_for_success();
  // Asks it to end, and kills it when it does not.
  Task<void> stop(int signal);

  // What it holds in memory, in bytes.
  std::int64_t memory() const;
  // What it has had written to disks, in bytes.
  std::int64_t bytes_written() const;

 private:
  // Outlives the object while the process ends.
  struct Said {
    Said(Timers& timers, std::string the_mark) : mark(std::move(the_mark)), changed(timers) {}
    void heard(const std::string& line);

    std::shared_ptr<Child> child;
    std::string mark;
    std::string behind_mark;
    std::vector<std::string> lines;
    ChildExit end;
    bool ended = false;
    Signal changed;
  };

  explicit Process(SystemWorld& loop, std::string mark)
      : loop_(loop), said_(std::make_shared<Said>(*loop.timers, std::move(mark))) {}
  static Task<void> run(std::shared_ptr<Said> said);

  SystemWorld& loop_;
  std::shared_ptr<Said> said_;
};

// A command whose process gets that signal when the bench ends in whatever way; as another user where one
// is named.
std::vector<std::string> ending_with_us(std::string_view signal, std::vector<std::string> command,
                                        const std::string& user = "");

// The number behind `name` in a file of /proc; 0 where there is none.
std::int64_t number_of(const std::string& file, std::string_view name);

// The program that runs.
std::filesystem::path own_program();

// The environment in which `python` finds what is installed beside it.
Environment environment_of(const std::filesystem::path& python);

}  // namespace dg::cli::bench
