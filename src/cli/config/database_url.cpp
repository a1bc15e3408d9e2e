#include "cli/config/database_url.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <set>

#include "cli/config/setting_rules.hpp"

namespace dg::cli {
namespace {

using OptionsPtr = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

// libpq quotes what it could not read, which may be the password. Only the name of a parameter is told, and
// not where an '@' comes later: then it may be part of a password with a bare '?'.
std::string without_values(std::string_view said, const std::string& url) {
  while (said.ends_with('\n')) said.remove_suffix(1);
  constexpr std::string_view parameter = "invalid URI query parameter: ";
  const auto question = url.find('?');
  const bool can_tell = question != std::string::npos && url.find('@', question) == std::string::npos;
  if (said.starts_with(parameter) && can_tell)
    return fmt::format("libpq has no parameter {}", said.substr(parameter.size()));
  return std::string(said.substr(0, said.find(": \"")));
}

// libpq looks at these only when it connects.
std::string why_not(const DatabaseKeywords& found) {
  const auto is_wrong = [&](const char* keyword, const SettingRule& rule) {
    const auto value = found.find(keyword);
    return value != found.end() && std::ranges::any_of(split_list(value->second), [&](const auto& one) {
             return rule.refuse(one).has_value();
           });
  };
  if (const auto port = fixed_port(); is_wrong("port", port)) return "the port must be " + port.must;
  if (const auto mode = one_of(database_ssl_modes); is_wrong("sslmode", mode))
    return "sslmode must be " + mode.must;
  return "";
}

// libpq shows the values of some keywords as passwords.
std::set<std::string, std::less<>> open_keywords() {
  std::set<std::string, std::less<>> out;
  const OptionsPtr options(PQconninfoParse("", nullptr), &PQconninfoFree);
  for (const auto* option = options.get(); option != nullptr && option->keyword != nullptr; ++option)
    if (std::string_view(option->dispchar) != "*") out.emplace(option->keyword);
  return out;
}

}  // namespace

Result<DatabaseKeywords> read_database_url(const std::string& url) {
  if (!url.starts_with("postgres://") && !url.starts_with("postgresql://"))
    return fail(Errc::invalid_argument, "");
  char* said = nullptr;
  const OptionsPtr options(PQconninfoParse(url.c_str(), &said), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> kept(said, &PQfreemem);
  if (!options) return fail(Errc::invalid_argument, said == nullptr ? "" : without_values(said, url));
  DatabaseKeywords out;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr) out.emplace(option->keyword, option->val);
  if (auto why = why_not(out); !why.empty()) return fail(Errc::invalid_argument, std::move(why));
  return out;
}

bool is_open_database_keyword(std::string_view keyword) {
  static const auto known = open_keywords();
  return known.contains(keyword);
}

}  // namespace dg::cli
