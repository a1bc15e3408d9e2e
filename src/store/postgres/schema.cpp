#include "store/postgres/schema.hpp"

namespace dg::store::postgres {

std::int64_t schema_number() {
  return (schema_upgrades().empty() ? schema_files() : schema_upgrades()).back().version;
}

std::string script_of(const SchemaFile& file) {
  std::string script;
  auto rest = file.text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end == std::string_view::npos ? end : end + 1);
    // Kept as an empty line, so that the lines that errors name are those of the file.
    script += line.starts_with('\\') ? "\n" : line;
    rest.remove_prefix(line.size());
  }
  return script;
}

std::vector<std::string> parts_of(const SchemaFile& file) {
  constexpr std::string_view end_of_statement = ";\n";
  std::vector<std::string> parts;
  auto script = script_of(file);
  const auto begin = script.find("\nBEGIN;\n") + 1;
  std::size_t from = 0;
  for (auto end = script.find(end_of_statement); end < begin; end = script.find(end_of_statement, from)) {
    end += end_of_statement.size();
    parts.push_back(script.substr(from, end - from));
    from = end;
  }
  parts.push_back(script.substr(from));
  return parts;
}

std::vector<std::string> made_by_schema(std::string_view kind) {
  const auto words = std::string(kind) + " IF NOT EXISTS ";
  std::vector<std::string> names;
  for (const auto& file : schema_files()) {
    for (auto at = file.text.find(words); at != std::string_view::npos; at = file.text.find(words, at)) {
      at += words.size();
      names.emplace_back(file.text.substr(at, file.text.find_first_of(" (", at) - at));
    }
  }
  return names;
}

}  // namespace dg::store::postgres
