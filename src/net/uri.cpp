#include "net/uri.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace dg::net {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool escapes_are_whole(std::string_view text) {
  for (std::size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 1)) {
    if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return false;
  }
  return true;
}

bool split_query(std::string_view query, Request& request) {
  while (!query.empty()) {
    const std::string_view piece = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), piece.size() + 1));
    if (piece.empty()) continue;
    const std::size_t equals = std::min(piece.find('='), piece.size());
    auto name = percent_decode(piece.substr(0, equals), true);
    auto value = percent_decode(piece.substr(std::min(piece.size(), equals + 1)), true);
    if (!name || !value) return false;
    request.query.emplace_back(std::move(*name), std::move(*value));
  }
  return true;
}

// Removes the scheme and the authority of an absolute-form target.
std::string_view without_origin(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://", "ws://", "wss://"}) {
    if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t start = target.find_first_of("/?");
    return start == std::string_view::npos ? std::string_view("/") : target.substr(start);
  }
  return target;
}

bool is_port(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 && value < 65536;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high << 4 | low));
      i += 2;
    } else {
      out.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

Status split_target(Request& request) {
  const std::string_view target = without_origin(request.target);
  const std::size_t mark = std::min(target.find('?'), target.size());
  request.path = mark == 0 ? "/" : std::string(target.substr(0, mark));
  if (target.empty() || (request.path.front() != '/' && target != "*"))
    return fail(Errc::bad_request, "the request target is not a path");
  if (!escapes_are_whole(request.path))
    return fail(Errc::bad_request, "the path has a broken percent escape");
  if (mark < target.size() && !split_query(target.substr(mark + 1), request))
    return fail(Errc::bad_request, "the query has a broken percent escape");
  return {};
}

std::string Url::host_header() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (tls ? "443" : "80") ? name : name + ":" + port;
}

Result<Url> parse_ws_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos)
    return fail(Errc::invalid_argument,
                "the URL has no scheme; ws://, wss://, http:// or https:// is expected");
  const std::string_view scheme = text.substr(0, colon);
  const bool tls = equal_ignoring_case(scheme, "wss") || equal_ignoring_case(scheme, "https");
  if (!tls && !equal_ignoring_case(scheme, "ws") && !equal_ignoring_case(scheme, "http"))
    return fail(Errc::invalid_argument, "the URL's scheme must be ws, wss, http or https");

  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  Url url;
  url.tls = tls;
  url.target = rest.substr(authority.size());
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  if (authority.find('@') != std::string_view::npos)
    return fail(Errc::invalid_argument, "the URL must not hold credentials; send them in a header");

  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos)
      return fail(Errc::invalid_argument, "the URL's IPv6 address does not end");
    url.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
  } else {
    url.host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(url.host.size());
  }
  url.port = authority.empty() ? (tls ? "443" : "80") : std::string(authority.substr(1));
  const bool clean = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  if (url.host.empty() || !is_port(url.port) || !clean || (!authority.empty() && authority.front() != ':'))
    return fail(Errc::invalid_argument, "the URL has no usable host and port");
  return url;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool list_has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), item.size() + 1));
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (equal_ignoring_case(item, token)) return true;
  }
  return false;
}

}  // namespace dg::net
