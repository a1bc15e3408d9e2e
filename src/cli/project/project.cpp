#include "cli/project/project.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/json.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;
using json::View;

struct UnusedKey {
  std::string_view name;
  std::string_view would;
};

// Keys of langgraph.json that have a meaning elsewhere; each says what it would do.
constexpr std::array unused_keys{
    UnusedKey{"python_version", "choose the Python of an image"},
    UnusedKey{"node_version", "choose the Node.js of an image"},
    UnusedKey{"node_loader", "choose how TypeScript is loaded"},
    UnusedKey{"pip_config_file", "configure pip while an image is built"},
    UnusedKey{"pip_installer", "choose pip or uv while an image is built"},
    UnusedKey{"source", "say how an image's dependencies are found"},
    UnusedKey{"base_image", "choose an image's base"},
    UnusedKey{"image_distro", "choose an image's distribution"},
    UnusedKey{"api_version", "choose the version of LangGraph's own server"},
    UnusedKey{"dockerfile_lines", "add lines to an image's Dockerfile"},
    UnusedKey{"keep_pkg_tools", "keep pip in an image"},
    UnusedKey{"docker_compose_file", "add services to a composition"},
    UnusedKey{"store", "index memory items for semantic search and expire them"},
    UnusedKey{"auth", "authenticate requests by the project's own code"},
    UnusedKey{"encryption", "encrypt what is stored by the project's own code"},
    UnusedKey{"http", "mount an app of the project's own and configure its paths"},
    UnusedKey{"webhooks", "restrict and sign webhooks"},
    UnusedKey{"ui", "serve components for generative user interfaces"},
    UnusedKey{"ui_config", "share modules between such components"},
    UnusedKey{"disable_persistence", "keep nothing; here everything is kept"},
};
constexpr std::array<std::string_view, 5> used_keys{"graphs", "dependencies", "env", "checkpointer",
                                                    "$schema"};

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

void note_keys(Project& project, View config) {
  for (const auto& member : config.members()) {
    const auto unused = std::ranges::find(unused_keys, member.key, &UnusedKey::name);
    if (unused != unused_keys.end()) {
      project.warnings.push_back(
          fmt::format("langgraph.json: \"{}\" is not used here; it would {}", member.key, unused->would));
    } else if (std::ranges::find(used_keys, member.key) == used_keys.end()) {
      project.warnings.push_back(
          fmt::format("langgraph.json: \"{}\" is not a key that is known", member.key));
    }
  }
  const auto checkpointer = config["checkpointer"];
  for (const std::string_view name : {"path", "ttl"})
    if (!checkpointer[name].is_null())
      project.warnings.push_back(
          fmt::format("langgraph.json: \"checkpointer.{}\" is not used here; it would {}", name,
                      name == "path" ? "store checkpoints by the project's own code" : "expire threads"));
}

Status read_graphs(Project& project, View config) {
  const auto graphs = config["graphs"];
  if (!graphs.is_object() || graphs.members().empty())
    return wrong(project.config, "graphs",
                 "must name at least one graph, as in {\"agent\": \"./agent.py:graph\"}");
  for (const auto& member : graphs.members()) {
    const auto path = member.value.is_object() ? member.value["path"] : member.value;
    if (!path.is_string() || path.string().find(':') == std::string::npos)
      return wrong(project.config, "graphs." + member.key,
                   "must be \"FILE.py:NAME\", or an object with that as its \"path\"");
    project.graphs.push_back({member.key, member.value["description"].string(), "{}", "{}"});
  }
  return {};
}

Status read_environment(Project& project, View config) {
  const auto env = config["env"];
  if (env.is_object()) {
    for (const auto& member : env.members())
      project.environment[member.key] =
          member.value.is_string() ? member.value.string() : std::string(member.value.raw());
    return {};
  }
  if (!env.is_null() && !env.is_string())
    return wrong(project.config, "env", "must be the path of a file, or an object");
  const auto path = project.dir / (env.is_string() ? env.string() : ".env");
  if (!fs::exists(path)) {
    if (env.is_string() && env.string() != ".env")
      project.warnings.push_back(path.string() + ", which \"env\" names, does not exist");
    return {};
  }
  const auto text = read_file(path);
  if (!text) return fail(text.error());
  auto parsed = parse_dotenv(*text);
  if (!parsed) return fail(Errc::invalid_argument, path.string() + ": " + parsed.error().message);
  project.environment = std::move(*parsed);
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
    const auto candidate = fs::path(folder) / program;
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
  note_keys(project, config);
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
