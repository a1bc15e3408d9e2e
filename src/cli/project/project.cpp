#include "cli/project/project.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/json.hpp"
#include "cli/project/config_keys.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;
using json::View;

std::unexpected<Error> wrong(const fs::path& file, std::string_view place, std::string_view message) {
  return fail(Error{Errc::invalid_argument,
                    fmt::format("{}: {}: {}", file.string(), place, message),
                    {{std::string(place), std::string(message)}}});
}

Result<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Errc::not_found, path.string() + " cannot be read");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// A link is watched where it is and where it leads: either may be replaced. What no file system takes for a
// path, as one with a name that is too long, cannot change.
void add_file(Sources& sources, const fs::path& path) {
  std::error_code error;
  const auto folder = fs::weakly_canonical(path.parent_path(), error);
  if (error) return;
  sources.files.insert(folder / path.filename());
  const auto file = fs::weakly_canonical(path, error);
  if (!error) sources.files.insert(file);
}

// What the worker imports from: the project's folder, and dependencies that are folders themselves.
void read_folders(Project& project, View config) {
  project.sources.folders.insert(project.dir);
  for (const auto& dependency : config["dependencies"].elements()) {
    std::error_code error;
    const auto folder = fs::canonical(project.dir / dependency.string(), error);
    if (dependency.is_string() && !error && fs::is_directory(folder, error))
      project.sources.folders.insert(folder);
  }
}

Status read_graphs(Project& project, View config) {
  const auto graphs = config["graphs"];
  if (!graphs.is_object() || graphs.members().empty())
    return wrong(project.config, "graphs",
                 "must name at least one graph, as in {\"agent\": \"./agent.py:graph\"}");
  std::vector<std::string> wrong_ones;
  for (const auto& member : graphs.members()) {
    const auto path = member.value.is_object() ? member.value["path"] : member.value;
    if (!path.is_string() || path.string().find(':') == std::string::npos) {
      wrong_ones.push_back("graphs." + member.key);
      continue;
    }
    project.graphs.push_back({member.key, member.value["description"].string(), "{}", "{}"});
    const auto reference = path.string();
    add_file(project.sources, project.dir / reference.substr(0, reference.rfind(':')));
  }
  if (wrong_ones.empty()) return {};
  return wrong(project.config, fmt::format("{}", fmt::join(wrong_ones, ", ")),
               "must be \"FILE.py:NAME\", or an object with that as its \"path\"");
}

std::string describe_skipped(const fs::path& file, std::vector<std::string> lines) {
  constexpr std::size_t shown = 5;
  const auto more = lines.size() > shown ? fmt::format(", and {} more", lines.size() - shown) : "";
  lines.resize(std::min(lines.size(), shown));
  return fmt::format("{} has lines that are skipped: {}{}", file.string(), fmt::join(lines, ", "), more);
}

Status read_variables(Project& project, View env) {
  for (const auto& [name, value] : env.members()) {
    if (name.empty() || name.contains('='))
      return wrong(project.config, "env." + name, "must be the name of a variable, without a \"=\"");
    project.environment[name] = value.is_string() ? value.string() : std::string(value.raw());
  }
  return {};
}

Status read_environment(Project& project, View config) {
  const auto env = config["env"];
  if (env.is_object()) return read_variables(project, env);
  if (!env.is_null() && !env.is_string())
    return wrong(project.config, "env", "must be the path of a file, or an object");
  const auto path = project.dir / (env.is_string() ? env.string() : ".env");
  add_file(project.sources, path);
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (env.is_string() && env.string() != ".env")
      project.warnings.push_back(path.string() + ", which \"env\" names, does not exist");
    return {};
  }
  if (fs::is_directory(path, error))  // some keep a virtual environment in .env
    return env.is_string() ? wrong(project.config, "env", "names a folder, not a file") : Status();
  const auto text = read_file(path);
  if (!text) return wrong(project.config, "env", text.error().message);
  auto parsed = parse_dotenv(*text);
  project.environment = std::move(parsed.variables);
  if (!parsed.skipped.empty()) project.warnings.push_back(describe_skipped(path, std::move(parsed.skipped)));
  return {};
}

// LANGGRAPH_CONFIG configures the default assistants: graph -> {configurable, context}.
Status read_assistants(Project& project) {
  const auto found = project.environment.find("LANGGRAPH_CONFIG");
  if (found == project.environment.end() || found->second.empty()) return {};
  if (auto valid = json::validate(found->second, json::client_rules); !valid)
    return fail(Errc::invalid_argument, "LANGGRAPH_CONFIG: " + valid.error().message);
  for (auto& graph : project.graphs) {
    const auto entry = View(found->second)[graph.id];
    if (entry["configurable"].is_object())
      graph.config = json::Writer()
                         .begin_object()
                         .key("configurable")
                         .raw(entry["configurable"].raw())
                         .end_object()
                         .take();
    if (entry["context"].is_object()) graph.context = entry["context"].raw();
  }
  return {};
}

std::optional<fs::path> find_on_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    auto candidate = fs::path(folder) / program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

}  // namespace

Result<Project> read_project(const fs::path& path) {
  Project project;
  std::error_code error;
  project.config = fs::weakly_canonical(path, error);
  project.dir = project.config.parent_path();
  const auto text = read_file(project.config);
  if (!text)
    return fail(Errc::not_found,
                fmt::format("{} does not exist; go to a LangGraph project, or name its folder",
                            project.config.string()));
  if (auto valid = json::validate(*text, json::client_rules); !valid)
    return fail(Errc::invalid_argument, project.config.string() + ": " + valid.error().message);
  const View config(*text);
  if (!config.is_object()) return wrong(project.config, "the file", "must hold a JSON object");
  if (auto unused = describe_unused_keys(config)) project.warnings.push_back(std::move(*unused));
  add_file(project.sources, fs::absolute(path, error));
  read_folders(project, config);
  if (auto done = read_graphs(project, config); !done) return fail(done.error());
  if (auto done = read_environment(project, config); !done) return fail(done.error());
  if (auto done = read_assistants(project); !done) return fail(done.error());
  return project;
}

Result<fs::path> find_python(const fs::path& dir) {
  std::vector<fs::path> candidates;
  if (const char* const active = std::getenv("VIRTUAL_ENV"); active != nullptr && *active != '\0')
    candidates.emplace_back(fs::path(active) / "bin/python");
  candidates.emplace_back(dir / ".venv/bin/python");
  candidates.emplace_back(dir / "venv/bin/python");
  for (const auto& candidate : candidates)
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  if (auto python = find_on_path("python3")) return *python;
  return fail(Errc::not_found,
              fmt::format("no Python was found; make an environment with: python3 -m venv {0}/.venv && "
                          "{0}/.venv/bin/pip install langgraph",
                          dir.string()));
}

}  // namespace dg::cli
