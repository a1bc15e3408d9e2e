#include "cli/config/setting_rules.hpp"

#include <curl/curl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>

#include "net/networks.hpp"
#include "net/uri.hpp"

namespace dg::cli {
namespace {

using UrlPtr = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string url_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK || text == nullptr) return "";
  std::string out(text);
  curl_free(text);
  return out;
}

bool is_nats_server(const std::string& text) {
  const UrlPtr url(curl_url(), &curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return false;
  const auto scheme = url_part(url.get(), CURLUPART_SCHEME);
  if (scheme != "nats" && scheme != "tls") return false;
  const auto path = url_part(url.get(), CURLUPART_PATH);
  return (path.empty() || path == "/") && url_part(url.get(), CURLUPART_QUERY).empty() &&
         url_part(url.get(), CURLUPART_FRAGMENT).empty();
}

bool is_web_url(const std::string& text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

// Credentials in it would be shown.
std::optional<std::string> why_no_web_url(const std::string& text) {
  const UrlPtr url(curl_url(), &curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return "it is no URL";
  if (!url_part(url.get(), CURLUPART_USER).empty() || !url_part(url.get(), CURLUPART_PASSWORD).empty())
    return "it holds a user or a password";
  return std::nullopt;
}

bool is_http_url(const std::string& text) {
  const UrlPtr url(curl_url(), &curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return false;
  const auto scheme = url_part(url.get(), CURLUPART_SCHEME);
  return (scheme == "http" || scheme == "https") && url_part(url.get(), CURLUPART_FRAGMENT).empty();
}

std::optional<std::string> why_unreadable(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return "it is a folder";
  if (::access(path.c_str(), R_OK) != 0) return std::strerror(errno);
  return std::nullopt;
}

}  // namespace

SettingRule rule_of(ValueRule rule) {
  return {std::move(rule.must), [accepts = std::move(rule.accepts)](const std::string& text) {
            return accepts(text) ? std::nullopt : std::optional<std::string>("");
          }};
}

SettingRule any_text() {
  return rule_of({"any text", [](const std::string&) { return true; }});
}

SettingRule some_text() {
  return rule_of({"a text that is not empty", [](const std::string& text) { return !text.empty(); }});
}

SettingRule token_text() {
  return rule_of({"printable ASCII without spaces", [](const std::string& text) {
                    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7F'; });
                  }});
}

SettingRule switch_word() {
  return rule_of({"true or false (1, 0, yes, no, on, off)",
                  [](const std::string& text) { return read_switch(text).has_value(); }});
}

SettingRule number_above(double limit) {
  return rule_of({fmt::format("a number above {:g}", limit), [limit](const std::string& text) {
                    double value = 0;
                    return read_number(text, value) && std::isfinite(value) && value > limit;
                  }});
}

SettingRule number_between(double least, double most) {
  return rule_of(
      {fmt::format("a number from {:g} to {:g}", least, most), [least, most](const std::string& text) {
         double value = 0;
         return read_number(text, value) && value >= least && value <= most;
       }});
}

SettingRule fixed_port() {
  auto rule = rule_of(whole_number_in(1, 65535));
  rule.must = "a port from 1 to 65535";
  return rule;
}

SettingRule one_of(std::span<const std::string_view> words) {
  const std::vector<std::string> known(words.begin(), words.end());
  return rule_of({fmt::format("one of {}", fmt::join(known, ", ")), [known](const std::string& text) {
                    return std::ranges::find(known, text) != known.end();
                  }});
}

SettingRule readable_file() {
  return {"the path of a file that can be read", why_unreadable};
}

SettingRule file_or_url() {
  return {"the path of a file that can be read, or an http:// or https:// URL", [](const std::string& text) {
            return is_web_url(text) ? why_no_web_url(text) : why_unreadable(text);
          }};
}

SettingRule nats_server() {
  return rule_of(
      {"nats:// or tls:// URLs with commas between them, such as nats://localhost:4222", is_nats_server});
}

SettingRule http_url() {
  return rule_of({"an http:// or https:// URL such as http://localhost:4318", is_http_url});
}

SettingRule named_value() {
  return rule_of({"name=value pairs with commas between them, values percent-encoded",
                  [](const std::string& text) { return read_named_value(text).has_value(); }});
}

std::optional<std::pair<std::string, std::string>> read_named_value(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const auto trim = [](std::string_view part) {
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    return part;
  };
  const auto name = trim(text.substr(0, equals));
  const auto value = net::percent_decode(trim(text.substr(equals + 1)));
  const auto printable = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  const auto in_name = [](char c) { return c > 0x20 && c < 0x7f && c != ':' && c != '"'; };
  if (name.empty() || !std::ranges::all_of(name, in_name)) return std::nullopt;
  if (!value || !std::ranges::all_of(*value, printable)) return std::nullopt;
  return std::pair(std::string(name), *value);
}

SettingRule network_text() {
  return rule_of({"addresses or networks with commas between them, such as 10.0.0.0/8,fd00::1",
                  [](const std::string& text) { return net::parse_network(text).has_value(); }});
}

SettingRule origin_text() {
  auto rule = rule_of(allowed_origin());
  rule.must = "* or origins with commas between them, such as https://example.com:8443";
  return rule;
}

SettingRule duration_text() {
  return rule_of({"a time such as 90s, 15m, 36h or 7d",
                  [](const std::string& text) { return read_duration(text).has_value(); }});
}

SettingRule size_text() {
  return rule_of({"a number of bytes, or of K, M or G, such as 512M",
                  [](const std::string& text) { return read_size(text).has_value(); }});
}

std::optional<std::chrono::seconds> read_duration(std::string_view text) {
  constexpr std::array<std::pair<char, std::int64_t>, 4> units{
      {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}}};
  const auto unit =
      std::ranges::find(units, text.empty() ? '\0' : text.back(), &std::pair<char, std::int64_t>::first);
  std::int64_t number = 0;
  constexpr std::int64_t most = 36500;  // days
  if (unit == units.end() || !read_number(text.substr(0, text.size() - 1), number)) return std::nullopt;
  if (number < 1 || number > most * 86400 / unit->second) return std::nullopt;
  return std::chrono::seconds(number * unit->second);
}

std::optional<std::int64_t> read_size(std::string_view text) {
  constexpr std::string_view units = "KMG";
  const auto unit = text.empty() ? units.npos : units.find(text.back());
  if (unit != units.npos) text.remove_suffix(1);
  const int shift = unit == units.npos ? 0 : 10 * (static_cast<int>(unit) + 1);
  std::int64_t number = 0;
  if (!read_number(text, number) || number < 1 || number > (std::int64_t{1} << 62 >> shift))
    return std::nullopt;
  return number << shift;
}

std::optional<bool> read_switch(std::string_view text) {
  const auto is = [text](std::string_view word) { return net::equal_ignoring_case(text, word); };
  if (std::ranges::any_of(std::array{"true", "1", "yes", "on"}, is)) return true;
  if (std::ranges::any_of(std::array{"false", "0", "no", "off"}, is)) return false;
  return std::nullopt;
}

std::vector<std::string> split_list(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto comma = text.find(',');
    auto element = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const auto first = element.find_first_not_of(blank);
    if (first == std::string_view::npos) continue;
    out.emplace_back(element.substr(first, element.find_last_not_of(blank) - first + 1));
  }
  return out;
}

}  // namespace dg::cli
