// Where each setting comes from, and what is said of wrong ones.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "cli/config/config_file.hpp"
#include "cli/config/database.hpp"
#include "cli/config/setting_table.hpp"

namespace dg::cli {
namespace {

constexpr std::size_t largest_config = 1 << 20;
constexpr std::size_t largest_secret = 1 << 16;
constexpr auto config_variable = "DURAGRAPH_CONFIG";

struct GivenText {
  std::string text;
  Origin origin;
};

using Problems = std::vector<FieldError>;

std::string full_path(const std::string& path) {
  std::error_code error;
  const auto full = std::filesystem::absolute(path, error);
  return error ? path : full.lexically_normal().string();
}

// Where to look for a wrong value, for a message.
std::string place_of(const Setting& setting, const Origin& origin) {
  if (origin.kind == Origin::Kind::flag) return fmt::format("flag {}", flag_of(setting));
  if (origin.line > 0) return fmt::format("file {}, line {}", origin.path, origin.line);
  return to_string(origin);
}

// An empty variable is as none: compositions set what they do not know to nothing.
std::optional<std::string> variable(const SettingSources& sources, const std::string& name) {
  auto value = sources.environment(name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

ConfigFile load_config(const SettingSources& sources, Problems& problems, std::string& path) {
  const bool by_flag = !sources.config.empty();
  const auto named = by_flag ? sources.config : variable(sources, config_variable).value_or("");
  if (named.empty()) return {};
  path = full_path(named);
  const auto place = by_flag ? "--config" : config_variable;
  const auto text = read_settings_text(path, largest_config);
  if (!text) {
    problems.push_back({place, fmt::format("{} cannot be read: {}", path, text.error().message)});
    return {};
  }
  auto file = parse_config_file(*text, path);
  if (file) return std::move(*file);
  problems.push_back({place, file.error().message});
  return {};
}

// Editors and `echo` end a file with a line break that is not part of the secret.
std::string without_last_break(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

std::optional<GivenText> secret_from_file(const std::string& variable_name, const std::string& named,
                                          Problems& problems) {
  const auto path = full_path(named);
  auto text = read_settings_text(path, largest_secret);
  if (!text) {
    problems.push_back({variable_name, fmt::format("{} cannot be read: {}", path, text.error().message)});
    return std::nullopt;
  }
  auto value = without_last_break(std::move(*text));
  if (value.empty()) {
    problems.push_back({variable_name, fmt::format("{} is empty", path)});
    return std::nullopt;
  }
  return GivenText{std::move(value), {Origin::Kind::file, path, 0}};
}

class SettingLoader {
 public:
  explicit SettingLoader(const SettingSources& sources)
      : sources_(sources), config_(load_config(sources, problems_, config_path_)) {
    for (auto& problem : config_.problems) problems_.push_back(std::move(problem));
  }

  void load(const Setting& setting) {
    const auto problems_before = problems_.size();
    auto given = find(setting);
    if (problems_.size() > problems_before) return;
    const auto& text = given ? given->text : setting.fallback;
    const auto assigned = assign(setting, text, settings_);
    if (given) settings_.origins.insert_or_assign(setting.name, given->origin);
    if (!assigned)
      problems_.push_back({setting.name, fmt::format("{} ({})", assigned.error().message,
                                                     place_of(setting, settings_.origin_of(setting.name)))});
  }

  Problems& problems() { return problems_; }
  ServeSettings& settings() { return settings_; }

 private:
  std::optional<GivenText> find(const Setting& setting) {
    if (const auto flag = sources_.flags.find(setting.name); flag != sources_.flags.end())
      return GivenText{flag->second, {Origin::Kind::flag}};
    if (auto found = find_in_environment(setting)) return found;
    const auto entry = config_.entries.find(key_of(setting));
    if (entry == config_.entries.end()) return std::nullopt;
    return GivenText{entry->second.text, {Origin::Kind::file, config_path_, entry->second.line}};
  }

  std::optional<GivenText> find_in_environment(const Setting& setting) {
    auto value = variable(sources_, setting.name);
    const auto file_variable = setting.name + "_FILE";
    const auto file = setting.secrecy == Secrecy::open ? std::nullopt : variable(sources_, file_variable);
    if (value && file) {
      problems_.push_back(
          {setting.name, fmt::format("is set beside {}; unset one of them (environment)", file_variable)});
      return std::nullopt;
    }
    if (file) return secret_from_file(file_variable, *file, problems_);
    if (!value) return std::nullopt;
    return GivenText{std::move(*value), {Origin::Kind::environment}};
  }

  const SettingSources& sources_;
  Problems problems_;
  std::string config_path_;
  ConfigFile config_;
  ServeSettings settings_;
};

// What belongs together is set together.
void expect_pairs(const ServeSettings& settings, Problems& problems) {
  const auto expect = [&](const char* first, const std::string& first_value, const char* second,
                          const std::string& second_value) {
    if (first_value.empty() == second_value.empty()) return;
    const bool has_first = !first_value.empty();
    problems.push_back({has_first ? second : first,
                        fmt::format("must be set together with {} ({})", has_first ? first : second,
                                    to_string(settings.origin_of(has_first ? first : second)))});
  };
  expect("DURAGRAPH_TLS_CERT", settings.tls_cert, "DURAGRAPH_TLS_KEY", settings.tls_key);
  expect("DURAGRAPH_NATS_TLS_CERT", settings.nats_tls_cert, "DURAGRAPH_NATS_TLS_KEY", settings.nats_tls_key);
  expect("DURAGRAPH_NATS_USER", settings.nats_user, "DURAGRAPH_NATS_PASSWORD", settings.nats_password);
}

void expect_one_login_of_nats(const ServeSettings& settings, Problems& problems) {
  std::string given;
  int count = 0;
  const auto look = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    given.append(count++ == 0 ? "" : ", ").append(name);
  };
  look("DURAGRAPH_NATS_CREDENTIALS", settings.nats_credentials);
  look("DURAGRAPH_NATS_TOKEN", settings.nats_token);
  look("DURAGRAPH_NATS_USER", settings.nats_user);
  if (count > 1)
    problems.push_back(
        {"DURAGRAPH_NATS_CREDENTIALS", fmt::format("{} are set: choose one way to log in", given)});
}

Error describe_wrong(Problems problems) {
  std::string message = problems.size() == 1 ? "" : fmt::format("{} settings are wrong:", problems.size());
  for (const auto& [place, text] : problems)
    message += fmt::format("{}{}: {}", problems.size() == 1 ? "" : "\n  ", place, text);
  return {Errc::invalid_argument, std::move(message), std::move(problems)};
}

}  // namespace

std::string to_string(const Origin& origin) {
  switch (origin.kind) {
    case Origin::Kind::fallback:
      return "default";
    case Origin::Kind::environment:
      return "environment";
    case Origin::Kind::file:
      return "file " + origin.path;
    case Origin::Kind::flag:
      return "flag";
  }
  return "default";
}

Origin ServeSettings::origin_of(std::string_view name) const {
  const auto found = origins.find(name);
  return found == origins.end() ? Origin{} : found->second;
}

std::optional<std::string> process_environment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

namespace {

Result<ServeSettings> load_some(const SettingSources& sources, bool (*wanted)(const Setting& setting)) {
  SettingLoader loader(sources);
  for (const auto& setting : setting_table())
    if (wanted(setting)) loader.load(setting);
  if (!loader.problems().empty()) return fail(describe_wrong(std::move(loader.problems())));
  return std::move(loader.settings());
}

}  // namespace

Result<ServeSettings> load_database_settings(const SettingSources& sources) {
  auto settings = load_some(sources, says_where_database_is);
  if (settings) settings->warnings = database_disagreements(*settings);
  return settings;
}

Result<ServeSettings> load_token_settings(const SettingSources& sources) {
  return load_some(sources, says_what_tokens_are);
}

Result<ServeSettings> load_settings(const SettingSources& sources) {
  SettingLoader loader(sources);
  for (const auto& setting : setting_table()) loader.load(setting);
  auto& problems = loader.problems();
  auto& settings = loader.settings();
  if (problems.empty()) {  // else something may only seem to be missing
    expect_pairs(settings, problems);
    expect_one_login_of_nats(settings, problems);
  }
  if (!problems.empty()) return fail(describe_wrong(std::move(problems)));
  settings.warnings = database_disagreements(settings);
  if (uses_known_password(settings))
    settings.warnings.emplace_back(
        "the database on another machine is used with the password that everybody knows, apppass: set "
        "DB_PASSWORD");
  return std::move(settings);
}

}  // namespace dg::cli
