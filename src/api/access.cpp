#include "api/access.hpp"

#include <algorithm>
#include <string>

namespace dg::api {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// The name before a port; empty where what follows the name is no port.
std::string_view without_port(std::string_view host) {
  const auto end = std::min(host.size(), host.starts_with('[') ? host.find(']') + 1 : host.find(':'));
  const auto rest = host.substr(end);
  const bool port =
      rest.starts_with(':') && rest.find_first_not_of("0123456789", 1) == std::string_view::npos;
  return rest.empty() || port ? host.substr(0, end) : "";
}

bool is_studio(std::string_view origin) {
  constexpr std::string_view scheme = "https://";
  if (!origin.starts_with(scheme)) return false;
  const auto host = origin.substr(scheme.size());
  return host == "smith.langchain.com" || host.ends_with(".smith.langchain.com");
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  const auto plain = lower(host);
  const auto name = without_port(plain);
  if (name == "localhost" || name.ends_with(".localhost") || name == "[::1]") return true;
  constexpr std::string_view digits = "0123456789.";
  return name.starts_with("127.") && name.find_first_not_of(digits) == std::string_view::npos;
}

bool is_allowed_origin(const Access& access, std::string_view origin) {
  const auto listed = [&](std::string_view wanted) {
    return std::ranges::find(access.origins, wanted) != access.origins.end();
  };
  if (listed("*") || listed(origin) || is_studio(origin)) return true;
  const auto scheme = origin.find("://");
  return scheme != std::string_view::npos && is_loopback_host(origin.substr(scheme + 3));
}

}  // namespace dg::api
