// What `duragraph dev` and `duragraph worker` take on the command line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace dg::cli {

struct DevOptions {
  std::string dir = ".";
  std::string config;  // empty: langgraph.json in `dir`
  std::string host = "127.0.0.1";
  std::uint16_t port = 2024;
  std::vector<std::string> origins;
  int slots = 10;
  int processes = 1;
  bool reload = true;
  bool worker = true;
  std::vector<std::string> ignored;  // flags of `langgraph dev` that have no meaning here
};

struct WorkerOptions {
  std::string dir = ".";
  std::string config;
  std::string server;  // empty: the one that `dev` announces in the folder, else the default address
  std::string revision;
  int slots = 10;
  int processes = 1;
  bool reload = false;
};

// Where the project's langgraph.json is.
std::filesystem::path config_path(const std::string& dir, const std::string& config);

// Both run until they are told to stop and return the exit code.
int run_dev(const DevOptions& options);
int run_worker(const WorkerOptions& options);

}  // namespace dg::cli
