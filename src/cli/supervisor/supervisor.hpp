// Starts a project's graph processes, keeps them running, and speaks for their life.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/env.hpp"
#include "cli/project/dotenv.hpp"
#include "cli/supervisor/child.hpp"
#include "cli/supervisor/link.hpp"

namespace dg::cli {

struct SupervisorOptions {
  std::filesystem::path python;
  std::filesystem::path host;    // the folder that holds the package duragraph_host
  std::filesystem::path config;  // langgraph.json
  std::string url;
  std::string token;
  int processes = 1;
  int slots = 10;        // of each process
  std::string revision;  // empty: the worker finds it
  // The project's own variables, asked for at each start.
  std::function<Environment()> environment;
};

class Supervisor {
 public:
  Supervisor(boost::asio::io_context& io, const Env& env, SupervisorOptions options);

  // Starts the processes and the connection.
  void start();
  // Starts a new generation of processes. The old one goes on until the new one serves; it stays
  // when the new one cannot be loaded.
  void reload();
  // Lets running work end until the deadline, then ends the processes.
  Task<void> stop(SteadyTime deadline);
  // How many processes take runs now.
  std::size_t serving() const;

 private:
  struct Worker {
    std::string session;
    std::string secret;
    int generation = 0;
    bool ready = false;
    bool leaving = false;  // told to drain
    std::shared_ptr<Child> child;
  };
  using WorkerPtr = std::shared_ptr<Worker>;

  void launch(int generation, bool is_reload);
  Task<void> run(WorkerPtr worker);
  Task<void> relaunch(int generation, Duration pause);
  void heard(const WorkerPtr& worker, const std::string& line);
  void retire_older_than(int generation);
  ChildOptions child_options(const Worker& worker, bool is_reload) const;
  std::vector<std::string> alive() const;

  boost::asio::io_context& io_;
  Env env_;
  SupervisorOptions options_;
  SupervisorLink link_;
  std::vector<WorkerPtr> workers_;
  int generation_ = 0;  // of the newest processes
  int serving_ = 0;     // the newest generation that serves; 0 for none
  int failures_ = 0;    // deaths in a row without becoming ready
  bool stopping_ = false;
  Signal changed_;
};

}  // namespace dg::cli
