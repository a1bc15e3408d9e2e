// A LangGraph project: what its langgraph.json says.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/project/dotenv.hpp"

namespace dg::cli {

struct ProjectGraph {
  std::string id;
  std::string description;
  std::string config = "{}";  // of its default assistant, from LANGGRAPH_CONFIG
  std::string context = "{}";
};

// Where a change makes the project another one. Every path is absolute.
struct Sources {
  std::set<std::filesystem::path> folders;  // with what is in them: the project's, and local dependencies
  std::set<std::filesystem::path> files;    // that langgraph.json names, and itself, wherever they are
};

struct Project {
  std::filesystem::path config;  // of langgraph.json, absolute
  std::filesystem::path dir;     // that it is in
  std::vector<ProjectGraph> graphs;
  Environment environment;  // of `env`, for the worker alone
  Sources sources;
  std::vector<std::string> warnings;  // of keys not used here, files that do not exist, lines skipped
};

// Reads `config`. not_found when there is no such file, invalid_argument with the place of each
// mistake.
Result<Project> read_project(const std::filesystem::path& config);

// The Python that the project uses: VIRTUAL_ENV, then .venv or venv in the project, then python3 on
// the PATH. not_found says how to make one.
Result<std::filesystem::path> find_python(const std::filesystem::path& dir);

}  // namespace dg::cli
