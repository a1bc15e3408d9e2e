// The server that a bench measures: one of its own, in a temporary folder.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/scratch_folder.hpp"
#include "cli/bench/load.hpp"
#include "cli/embed/file.hpp"
#include "cli/supervisor/child.hpp"

namespace dg::cli {

// The project that a bench serves: graphs without a model, sorted by path.
const std::vector<EmbeddedFile>& bench_files();

}  // namespace dg::cli

namespace dg::cli::bench {

struct TargetOptions {
  std::filesystem::path python;  // of an environment with LangGraph
  int processes = 1;
  int slots = 40;  // of each process
  bool worker = true;
};

// A `duragraph dev` of this program on the bench's project. Destroying it kills the server.
class Target {
 public:
  // Starts the server and waits until its worker serves. Errors: unavailable with the server's last
  // lines when it does not.
  static Task<Result<std::unique_ptr<Target>>> start(SystemWorld& loop, TargetOptions options);
  // Starts the program on `folder`, and waits until it answers.
  static Task<Result<std::unique_ptr<Target>>> start_in(SystemWorld& loop,
                                                        const std::filesystem::path& folder,
                                                        TargetOptions options);

  ~Target();
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  const std::string& url() const { return process_->url; }
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path database() const { return folder_ / ".duragraph" / "duragraph.db"; }
  // From the start of the process to the first answer.
  Duration first_answer() const { return first_answer_; }
  // What the server's process holds in memory, in bytes.
  std::int64_t memory() const;
  // What the server's process has had written to disks since it started, in bytes.
  std::int64_t bytes_written() const;
  // Bytes of the database with its log.
  std::int64_t bytes_on_disk() const;
  // Returns when so many workers are connected. unavailable when that takes too long.
  Task<Status> wait_for_workers(int count);
  // Ends the server in good order, so that its database is whole in one file.
  Task<void> stop();

 private:
  // The server's process and what it said. It outlives the target while the process ends.
  struct Process {
    explicit Process(Timers& timers) : changed(timers) {}
    void heard(const std::string& line);
    std::string last_lines() const;

    std::shared_ptr<Child> child;
    std::string url;
    std::vector<std::string> lines;  // the last that it printed
    bool ended = false;
    Signal changed;
  };

  explicit Target(SystemWorld& loop) : loop_(loop), process_(std::make_shared<Process>(*loop.timers)) {}
  Status launch(const TargetOptions& options);
  Task<Status> wait_for_answer();
  static Task<void> run(std::shared_ptr<Process> process);

  SystemWorld& loop_;
  std::unique_ptr<ScratchFolder> scratch_;
  std::filesystem::path folder_;
  std::shared_ptr<Process> process_;
  SteadyTime launched_;
  Duration first_answer_{};
};

// The number behind `name` in a file of /proc; 0 where there is none.
std::int64_t number_of(const std::string& file, std::string_view name);

// The program that runs.
std::filesystem::path own_program();

// The environment in which `python` finds what is installed beside it.
Environment environment_of(const std::filesystem::path& python);

}  // namespace dg::cli::bench
