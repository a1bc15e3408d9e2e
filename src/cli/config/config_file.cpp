#include "cli/config/config_file.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "cli/client/command_line.hpp"
#include "cli/config/setting_table.hpp"

namespace dg::cli {
namespace {

int line_of(const YAML::Node& node) {
  return node.Mark().line + 1;
}

std::string place_in(const std::string& path, int line) {
  return fmt::format(" (file {}, line {})", path, line);
}

const Setting* setting_of_key(std::string_view key) {
  for (const auto& setting : setting_table())
    if (key_of(setting) == key) return &setting;
  return nullptr;
}

// Nothing for what is neither one value nor, where the setting is one, a list of them.
std::optional<std::string> text_of(const YAML::Node& value, bool may_be_list) {
  if (value.IsScalar()) return value.Scalar();
  if (!value.IsSequence() || !may_be_list) return std::nullopt;
  std::string out;
  for (const auto& element : value) {
    if (!element.IsScalar()) return std::nullopt;
    out.append(out.empty() ? "" : ",").append(element.Scalar());
  }
  return out;
}

// A secret without quotes may begin with one of YAML's signs: "!x" is a tag then, "&x" an anchor and "#x" a
// remark.
bool has_own_tag(const YAML::Node& value) {
  const auto& tag = value.Tag();
  return tag.size() > 1 && tag.starts_with('!');
}

// What the parser says, without a name from the file: "*x" is an alias, and may have been meant as a secret.
std::string without_names(const std::string& said) {
  return said.substr(0, said.find(": "));
}

void read_entry(const YAML::Node& key, const YAML::Node& value, const std::string& path, ConfigFile& into) {
  const auto where = place_in(path, line_of(key));
  const auto name = key.IsScalar() ? key.Scalar() : std::string("?");
  const auto* const setting = setting_of_key(name);
  if (setting == nullptr) {
    const auto meant = nearest_key(name);
    into.problems.push_back(
        {name, fmt::format("is no setting{}{}", meant.empty() ? "" : fmt::format("; did you mean {}?", meant),
                           where)});
    return;
  }
  if (into.entries.contains(name)) {
    into.problems.push_back({name, "is there twice" + where});
    return;
  }
  if (value.IsNull() || has_own_tag(value)) {
    into.problems.push_back(
        {name, "has no value that YAML can read; put it in quotes, or leave the line out" + where});
    return;
  }
  auto text = text_of(value, setting->is_list());
  if (!text) {
    const auto* const must = setting->is_list() ? "must be a value or a list of values" : "must be one value";
    into.problems.push_back({name, must + where});
    return;
  }
  into.entries.emplace(name, ConfigEntry{std::move(*text), line_of(value)});
}

}  // namespace

Result<std::string> read_settings_text(const std::string& path, std::size_t limit) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return fail(Errc::invalid_argument, "it is a folder");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Errc::not_found, std::strerror(errno == 0 ? EIO : errno));
  std::string text(limit + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return fail(Errc::invalid_argument, std::strerror(errno == 0 ? EIO : errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > limit)
    return fail(Errc::invalid_argument, fmt::format("it has more than {} bytes", limit));
  return text;
}

Result<ConfigFile> parse_config_file(const std::string& text, const std::string& path) try {
  const auto documents = YAML::LoadAll(text);
  ConfigFile out;
  if (documents.empty() || (documents.size() == 1 && documents[0].IsNull())) return out;
  if (documents.size() > 1 || !documents[0].IsMap())
    return fail(Errc::invalid_argument, fmt::format("{} must hold lines such as \"port: 8080\"", path));
  for (const auto& entry : documents[0]) read_entry(entry.first, entry.second, path, out);
  return out;
} catch (const YAML::Exception& error) {
  return fail(Errc::invalid_argument,
              fmt::format("{} is no YAML: line {}: {}", path, error.mark.line + 1, without_names(error.msg)));
}

std::string nearest_key(std::string key) {
  std::ranges::transform(key, key.begin(),
                         [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::tolower(c)); });
  constexpr std::string_view own_prefix = "duragraph_";
  if (key.starts_with(own_prefix)) key.erase(0, own_prefix.size());
  std::vector<std::string> known;
  for (const auto& setting : setting_table()) known.push_back(key_of(setting));
  return nearest(key, known);
}

}  // namespace dg::cli
