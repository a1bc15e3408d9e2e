// Request targets and URLs: splitting and percent-decoding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/http.hpp"

namespace dg::net {

// Decodes %XX escapes, and `+` as a space where `plus_is_space`. Nothing when an escape is cut off
// or has other characters than hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

// Fills path and query of `request` from its target: the origin form "/path?query", the absolute
// form "http://host/path?query", or "*". Errc::bad_request for another form or a broken escape.
Status split_target(Request& request);

// Where a client connects to.
struct Url {
  std::string host;    // a name or an IP literal, an IPv6 one without its brackets
  std::string port;    // decimal
  std::string target;  // path and query, at least "/"
  bool tls = false;
  std::string host_header() const;
};

// Reads a ws:// or http:// URL, or one of wss:// or https:// (TLS). Errc::invalid_argument for what cannot be
// connected to.
Result<Url> parse_ws_url(std::string_view text);

// Compares ASCII text without regard to case.
bool equal_ignoring_case(std::string_view a, std::string_view b);

// Whether the comma-separated `list` holds `token`, in any case.
bool list_has_token(std::string_view list, std::string_view token);

}  // namespace dg::net
