#include "cli/config/database.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/config/database_url.hpp"
#include "cli/config/setting_rules.hpp"

namespace dg::cli {
namespace {

constexpr auto url_name = "DATABASE_URL";
constexpr auto usual_port = "5432";

struct DatabaseSetting {
  const char* name;
  const char* keyword;
  std::string value;
};

std::vector<DatabaseSetting> database_settings(const ServeSettings& settings) {
  return {{"DB_HOST", "host", settings.db_host},
          {"DB_PORT", "port", std::to_string(settings.db_port)},
          {"DB_USER", "user", settings.db_user},
          {"DB_PASSWORD", "password", settings.db_password},
          {"DB_NAME", "dbname", settings.db_name},
          {"DB_SSLMODE", "sslmode", settings.db_sslmode},
          {"DB_SSLROOTCERT", "sslrootcert", settings.db_sslrootcert}};
}

// What the URL says of a keyword, in so many words or by naming a host.
const std::string* said_by_url(const DatabaseKeywords& url, std::string_view keyword) {
  static const std::string port(usual_port);
  if (const auto named = url.find(keyword); named != url.end()) return &named->second;
  const auto address = url.find("hostaddr");
  const bool has_host = url.contains("host") || address != url.end();
  if (keyword == "host" && has_host) return &address->second;
  return keyword == "port" && has_host ? &port : nullptr;
}

// A path is the folder of a socket.
bool is_another_machine(const std::string& host) {
  return host != "localhost" && host != "::1" && !host.starts_with("127.") && !host.starts_with('/') &&
         !host.starts_with('@');
}

}  // namespace

Result<DatabaseConninfo> database_conninfo(const ServeSettings& settings) {
  DatabaseKeywords url;
  if (!settings.database_url.empty()) {
    auto read = read_database_url(settings.database_url);
    if (!read) return fail(read.error());
    url = std::move(*read);
  }
  DatabaseConninfo out(url.begin(), url.end());
  for (const auto& [name, keyword, value] : database_settings(settings)) {
    if (said_by_url(url, keyword) != nullptr || value.empty()) continue;
    const bool always = url.empty() || std::string_view(keyword) == "sslmode";
    if (always || settings.given(name)) out.emplace_back(keyword, value);
  }
  return out;
}

std::vector<std::string> database_disagreements(const ServeSettings& settings) {
  if (settings.database_url.empty()) return {};
  const auto url = read_database_url(settings.database_url);
  if (!url) return {};
  std::vector<std::string> out;
  for (const auto& [name, keyword, value] : database_settings(settings)) {
    const auto* const said = said_by_url(*url, keyword);
    if (said == nullptr || *said == value || !settings.given(name)) continue;
    out.push_back(fmt::format("{} ({}) is not used: {} ({}) has another {}", name,
                              to_string(settings.origin_of(name)), url_name,
                              to_string(settings.origin_of(url_name)), keyword));
  }
  return out;
}

bool uses_known_password(const ServeSettings& settings) {
  const auto conninfo = database_conninfo(settings);
  if (!conninfo) return false;
  bool is_known = false;
  bool is_elsewhere = false;
  for (const auto& [keyword, value] : *conninfo) {
    if (keyword == "password") is_known = value == "apppass";
    if (keyword == "host" || keyword == "hostaddr")
      is_elsewhere = is_elsewhere || std::ranges::any_of(split_list(value), is_another_machine);
  }
  return is_known && is_elsewhere;
}

}  // namespace dg::cli
