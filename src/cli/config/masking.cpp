#include "cli/config/masking.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/config/database_url.hpp"

namespace dg::cli {
namespace {

constexpr auto none = std::string_view::npos;

std::size_t after_scheme(std::string_view url) {
  const auto colon = url.find("://");
  return colon == none ? 0 : colon + 3;
}

// "user:***" of "user:password"; what has no user's name may be a token.
std::string mask_user(std::string_view text, bool alone_is_secret) {
  const auto colon = text.find(':');
  if (colon == none) return std::string(alone_is_secret ? masked : text);
  return fmt::format("{}:{}", text.substr(0, colon), masked);
}

bool only_ports_follow_colons(std::string_view text) {
  for (auto colon = text.find(':'); colon != none; colon = text.find(':', colon + 1)) {
    const auto after = text.substr(colon + 1);
    const auto port = after.substr(0, after.find_first_of("/,"));
    if (port.size() > 5 || port.find_first_not_of("0123456789") != none) return false;
  }
  return true;
}

std::string mask_query(std::string_view query) {
  std::string out;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto part = query.substr(0, end);
    const auto equals = part.find('=');
    const bool keep = equals != none && is_open_database_keyword(part.substr(0, equals));
    out += keep ? std::string(part) : fmt::format("{}={}", part.substr(0, equals), masked);
    if (end == none) break;
    out += '&';
    query.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace

std::string mask_nats_url(std::string_view url) {
  const auto start = after_scheme(url);
  const auto at = url.rfind('@');
  if (at == none || at < start) return std::string(url);
  return fmt::format("{}{}{}", url.substr(0, start), mask_user(url.substr(start, at - start), true),
                     url.substr(at));
}

std::string mask_unreadable_url(std::string_view url) {
  const auto start = after_scheme(url);
  const auto rest = url.substr(start);
  const bool plain = rest.find_first_of("@=?") == none;
  if (plain && only_ports_follow_colons(rest)) return std::string(url);
  return fmt::format("{}{}", url.substr(0, start), masked);
}

std::string mask_database_url(std::string_view url) {
  const auto start = after_scheme(url);
  const auto at = url.find('@', start);
  const bool has_user = at != none && at < url.find('/', start);
  const auto question = std::min(url.find('?', has_user ? at : start), url.size());
  std::string out(url.substr(0, start));
  auto rest = url.substr(start, question - start);
  // A password with a bare '/' or '@' is read as another part of the URI, so all before the last '@' is
  // hidden.
  if (const auto last = rest.rfind('@'); last != none) {
    out += has_user ? mask_user(rest.substr(0, last), false) : std::string(masked);
    rest.remove_prefix(last);
  }
  out += rest;
  if (question == url.size()) return out;
  return out.append("?").append(mask_query(url.substr(question + 1)));
}

}  // namespace dg::cli
