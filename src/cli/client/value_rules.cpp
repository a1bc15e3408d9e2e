#include "cli/client/value_rules.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <cmath>
#include <system_error>

namespace dg::cli {
namespace {

template <typename Number>
bool read_whole_text(std::string_view text, Number& into) {
  Number value{};
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end) return false;
  into = value;
  return true;
}

bool in_range(std::string_view text, std::int64_t least, std::int64_t most) {
  std::int64_t value = 0;
  return read_number(text, value) && value >= least && value <= most;
}

bool is_origin(std::string_view text) {
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos || scheme_end == 0) return false;
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789+-.";
  if (text.substr(0, scheme_end).find_first_not_of(letters) != std::string_view::npos) return false;
  auto host = text.substr(scheme_end + 3);
  const auto bracket = host.starts_with('[') ? host.find(']') : 0;
  if (bracket == std::string_view::npos) return false;
  if (const auto colon = host.find(':', bracket); colon != std::string_view::npos) {
    if (!in_range(host.substr(colon + 1), 1, 65535)) return false;
    host = host.substr(0, colon);
  }
  return !host.empty() && host.find_first_of("/?#@*\\ \t") == std::string_view::npos;
}

}  // namespace

bool read_number(std::string_view text, std::int64_t& into) {
  return read_whole_text(text, into);
}

bool read_number(std::string_view text, double& into) {
  return read_whole_text(text, into);
}

ValueRule number_from(double least) {
  return {fmt::format("{:g} or more", least), [least](const std::string& text) {
            double value = 0;
            return read_number(text, value) && std::isfinite(value) && value >= least;
          }};
}

ValueRule whole_number_in(std::int64_t least, std::int64_t most) {
  const auto range = most == std::numeric_limits<int>::max() ? fmt::format("{} or more", least)
                                                             : fmt::format("from {} to {}", least, most);
  return {"a whole number, " + range,
          [least, most](const std::string& text) { return in_range(text, least, most); }};
}

ValueRule listening_port() {
  return {"a port from 0 to 65535", [](const std::string& text) { return in_range(text, 0, 65535); }};
}

ValueRule listening_host() {
  return {"an IP address such as 127.0.0.1, or localhost", [](const std::string& text) {
            boost::system::error_code error;
            boost::asio::ip::make_address(text, error);
            return !error || text == "localhost";
          }};
}

ValueRule allowed_origin() {
  return {"* or an origin such as https://example.com:8443",
          [](const std::string& text) { return text == "*" || is_origin(text); }};
}

}  // namespace dg::cli
