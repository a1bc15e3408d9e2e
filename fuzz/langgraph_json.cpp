// langgraph.json: any text gives a project that can be served, or an error with its place. An input is the
// text of the file; what is behind a 0x1e is that of .env.
#include <fstream>

#include "base/json.hpp"
#include "base/scratch_folder.hpp"
#include "cli/project/project.hpp"
#include "target.hpp"

namespace dg::fuzz {
namespace {

namespace fs = std::filesystem;

void write_file(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

bool is_json_object(const std::string& text) {
  return json::validate(text, json::client_rules) && json::View(text).is_object();
}

void check_environment(const cli::Environment& environment, std::string_view input) {
  for (const auto& [name, value] : environment) {
    expect(!name.empty() && name.find_first_of(std::string_view("=\0", 2)) == std::string::npos,
           "a variable's name is one", input);
    expect(!value.contains('\0'), "a variable's value can be given to a process", input);
  }
}

void check_project(const cli::Project& project, const fs::path& dir, std::string_view input) {
  expect(project.dir == dir && project.config == dir / "langgraph.json", "a project is where it is", input);
  expect(!project.graphs.empty(), "a project has a graph", input);
  for (const auto& graph : project.graphs)
    expect(is_json_object(graph.config) && is_json_object(graph.context),
           "an assistant is configured by objects", input);
  check_environment(project.environment, input);
  for (const auto& file : project.sources.files) expect(file.is_absolute(), "sources are absolute", input);
  for (const auto& folder : project.sources.folders)
    expect(folder.is_absolute() && fs::is_directory(folder), "folders are folders", input);
  expect(project.sources.files.contains(project.config), "the file itself is a source", input);
}

void check_error(const Error& error, const fs::path& config, std::string_view input) {
  expect(error.code == Errc::invalid_argument, "a mistake is the file's", error.message);
  const bool has_place =
      error.message.starts_with(config.string() + ": ") || error.message.starts_with("LANGGRAPH_CONFIG: ");
  expect(has_place && !error.message.ends_with(": "), "an error has a place", input);
  expect(json::validate(json::quote(error.message), json::client_rules).has_value(), "an error is text",
         input);
}

std::string in_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// What is read of an environment's file is read again from what it says.
void check_dotenv(std::string_view text) {
  const auto read = cli::parse_dotenv(text);
  check_environment(read.variables, text);
  std::string again;
  for (const auto& [name, value] : read.variables) again += "export " + name + "=" + in_quotes(value) + "\n";
  const auto back = cli::parse_dotenv(again);
  expect(back.skipped.empty() && back.variables == read.variables, "variables read back", text);
}

void check(std::string_view input) {
  static const ScratchFolder folder("fuzz");
  const auto [text, environment] = split(input, '\x1e');
  const auto config = folder.path() / "langgraph.json";
  write_file(config, text);
  write_file(folder.path() / ".env", environment);
  const auto project = cli::read_project(config);
  if (project)
    check_project(*project, folder.path(), input);
  else
    check_error(project.error(), config, input);
  check_dotenv(environment);
}

const Registration langgraph_json_target("langgraph_json", 3000, check);

}  // namespace
}  // namespace dg::fuzz
