// Starts a project's graph processes, keeps them running, and speaks for their life.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/env.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/project/dotenv.hpp"
#include "cli/supervisor/child.hpp"
#include "cli/supervisor/link.hpp"

namespace dg::cli {

struct SupervisorOptions {
  // The project's Python, asked for at each start: it may have been made since.
  std::function<Result<std::filesystem::path>()> python;
  std::filesystem::path host;    // the folder that holds the package duragraph_host
  std::filesystem::path config;  // langgraph.json
  std::string url;
  std::string token;
  int processes = 1;
  int slots = 10;        // of each process
  std::string revision;  // empty: the worker finds it
  // The project's own variables, asked for at each start.
  std::function<Environment()> environment;
  // Called when the server does not take the token; without it, it is tried again.
  std::function<void()> refused;
  // How long a process must have served for its death to count as the first.
  Duration proven_after = std::chrono::seconds(60);
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
    int deaths = 0;  // of those whose place it took, in a row
    std::string python;
    std::string problem;           // for which it cannot serve, in its own words
    std::set<std::string> graphs;  // that it serves, once it is ready
    bool ready = false;
    SteadyTime ready_at;
    bool finished = false;  // a run, at least
    bool leaving = false;   // told to drain
    std::shared_ptr<Child> child;
  };
  using WorkerPtr = std::shared_ptr<Worker>;

  void launch(int generation, int deaths);
  Task<void> run(WorkerPtr worker);
  // Starts another in the place of one that ended, after a pause that grows with the deaths in a row.
  void replace(int generation, int deaths);
  Task<void> relaunch(int generation, int deaths);
  int deaths_with(const Worker& worker) const;
  void complain(const std::string& complaint);
  void heard(const WorkerPtr& worker, const std::string& line);
  void heard_broken(json::View event);
  void heard_ready(Worker& worker, json::View event);
  void retire_older_than(int generation);
  ChildOptions child_options(const Worker& worker) const;
  bool is_reload(int generation) const { return serving_ != 0 && serving_ != generation; }
  std::vector<std::string> alive() const;
  std::string served() const;

  boost::asio::io_context& io_;
  Env env_;
  SupervisorOptions options_;
  SupervisorLink link_;
  std::vector<WorkerPtr> workers_;
  int generation_ = 0;     // of the newest processes
  int serving_ = 0;        // the newest generation that serves; 0 for none
  std::string complaint_;  // what was said last of why no process can serve
  std::map<std::string, std::string, std::less<>>
      broken_;  // what was said of each graph since the last change
  bool stopping_ = false;
  Signal changed_;
};

}  // namespace dg::cli
