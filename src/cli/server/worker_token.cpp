#include "cli/server/worker_token.hpp"

#include "cli/server/data_folder.hpp"
#include "net/uri.hpp"

namespace dg::cli {
namespace {

std::string without_slashes(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// A machine's names for itself are one.
std::string host_of(const net::Url& url) {
  const bool own = url.host == "localhost" || url.host == "::1" || url.host.starts_with("127.");
  return own ? "localhost" : url.host;
}

bool same_server(const std::string& a, const std::string& b) {
  const auto left = net::parse_ws_url(without_slashes(a));
  const auto right = net::parse_ws_url(without_slashes(b));
  return left && right && net::equal_ignoring_case(host_of(*left), host_of(*right)) &&
         left->port == right->port && left->target == right->target;
}

}  // namespace

std::string worker_server(const std::string& given, const std::filesystem::path& folder) {
  return without_slashes(given.empty() ? read_server_url(folder).value_or("http://127.0.0.1:2024") : given);
}

WorkerToken worker_token(const std::string& given, const std::filesystem::path& folder,
                         const std::string& environment) {
  const auto kept = read_worker_token(folder).value_or("");
  const auto announced = read_server_url(folder);
  const bool of_folder = given.empty() || (announced && same_server(given, *announced));
  const bool take_kept = !kept.empty() && (of_folder || environment.empty());
  if (take_kept) return {kept, (folder / "worker-token").string()};
  return {environment, environment.empty() ? "" : "DURAGRAPH_WORKER_TOKEN"};
}

}  // namespace dg::cli
