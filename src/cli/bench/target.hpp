// The server that a bench measures: one of its own, on a project in a temporary folder.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/scratch_folder.hpp"
#include "cli/bench/load.hpp"
#include "cli/bench/process.hpp"
#include "cli/embed/file.hpp"
#include "store/store.hpp"

namespace dg::cli {

// The project that a bench serves: graphs without a model, sorted by path.
const std::vector<EmbeddedFile>& bench_files();

}  // namespace dg::cli

namespace dg::cli::bench {

struct Bench;
struct BareStore;

struct TargetOptions {
  int processes = 1;
  int slots = 40;  // of each process
  bool worker = true;
};

// Destroying it kills the server.
class Target {
 public:
  // Starts the server that this bench is about, and waits until its worker serves. Errors: unavailable with
  // the server's last lines when it does not.
  static Task<Result<std::unique_ptr<Target>>> start(Bench& bench, TargetOptions options);

  virtual ~Target() = default;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  // Where each instance answers; the worker is the last one's.
  const std::vector<std::string>& urls() const { return urls_; }
  const std::string& url() const { return urls_.front(); }
  const std::filesystem::path& folder() const { return folder_; }
  // What the first instance holds in memory, in bytes.
  std::int64_t memory() const { return instances_.front()->memory(); }
  // Returns when so many workers are connected. unavailable when that takes too long.
  Task<Status> wait_for_workers(int count);
  // What a worker shows; empty where the server made its own.
  std::string worker_token() const;
  // One more `duragraph worker` on the project, at a server; empty: at the last instance.
  Result<std::unique_ptr<Process>> start_worker(int processes, int slots, std::string server = "") const;

  // What was written for what the server stored since it started, in bytes, and in which words that is told.
  virtual std::int64_t bytes_written() const = 0;
  virtual std::string what_is_written() const = 0;
  // Bytes of what is stored, with its indexes and what is free between its rows.
  virtual std::int64_t bytes_on_disk() const = 0;
  // Its database as a store of the bench's own. The server must have ended.
  virtual Result<std::unique_ptr<store::Store>> open_store() const = 0;
  // Ends the server in good order; its database stays as long as the target.
  virtual Task<void> stop() = 0;
  // How fast the rows that the server wrote for its runs, or for what has its rows in the table `what`, are
  // written again with nothing in between. The server must have ended.
  virtual Result<BareStore> measure_bare_store(std::string_view what, Duration duration) const = 0;
  // Rows per run in each table that has any, the most first. The server must have ended.
  virtual std::vector<std::pair<std::string, double>> rows_per_run() const = 0;

 protected:
  Target(SystemWorld& loop, Environment environment) : loop_(loop), environment_(std::move(environment)) {}
  // Makes the project in a folder of its own.
  Status make_project();

  SystemWorld& loop_;
  Environment environment_;  // of all its processes
  std::filesystem::path folder_;
  std::vector<std::string> urls_;
  std::vector<std::unique_ptr<Process>> instances_;

 private:
  std::unique_ptr<ScratchFolder> scratch_;
};

}  // namespace dg::cli::bench
