#include "store/postgres/conninfo.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>

namespace dg::store::postgres {
namespace {

// libpq repeats what it could not read, in quotes, and that may be or hold the password.
std::string without_quoted(std::string_view message) {
  std::string out;
  bool quoted = false;
  for (const char c : message) {
    if (c == '"') {
      if (!quoted) out += "(not shown)";
      quoted = !quoted;
    } else if (!quoted && c != '\n') {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::expected<Conninfo, std::string> parse_conninfo(const std::string& text) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(text.c_str(), &error), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> error_holder(error, &PQfreemem);
  if (!options) return std::unexpected(without_quoted(error == nullptr ? "there is no memory" : error));
  Conninfo conninfo;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr) conninfo.emplace_back(option->keyword, option->val);
  return conninfo;
}

std::string_view value_of(const Conninfo& conninfo, std::string_view keyword) {
  for (const auto& [name, value] : conninfo)
    if (name == keyword) return value;
  return {};
}

void set_value(Conninfo& conninfo, std::string_view keyword, std::string value) {
  std::erase_if(conninfo, [&](const auto& setting) { return setting.first == keyword; });
  conninfo.emplace_back(keyword, std::move(value));
}

}  // namespace dg::store::postgres
