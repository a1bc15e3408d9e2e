#include "api/request_limit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "api/errors.hpp"

namespace dg::api {

bool is_probe(std::string_view path) {
  constexpr std::string_view prefix = "/api/v1";
  constexpr std::array<std::string_view, 5> probes{"/health", "/livez", "/readyz", "/ok", "/metrics"};
  if (path.starts_with(prefix)) path.remove_prefix(prefix.size());
  if (path.ends_with('/')) path.remove_suffix(1);
  return std::ranges::find(probes, path) != probes.end();
}

RequestLimit::RequestLimit(Timers& timers, Metrics& metrics, const RateLimits& limits,
                           net::Networks trusted_proxies)
    : limit_(timers, limits),
      addresses_(std::move(trusted_proxies)),
      refusals_(metrics.counter("duragraph_rate_limit_refusals_total", "Requests over the rate limit")) {
  metrics.gauge_callback("duragraph_rate_limit_entries", "Clients whose bucket is not full", {},
                         [this] { return static_cast<double>(limit_.entries()); });
  metrics.gauge("duragraph_rate_limit_entries_max", "More clients than that are not told apart")
      .set(static_cast<double>(limits.entries));
  metrics.counter_callback("duragraph_rate_limit_evictions_total",
                           "Buckets forgotten before they were full, for want of room", {},
                           [this] { return static_cast<double>(limit_.evictions()); });
}

Charge RequestLimit::take(const RateKey& key) {
  const auto charge = limit_.take(key);
  if (charge.refused) refusals_.add();
  return charge;
}

Charge RequestLimit::charge(const net::Request& request) {
  return take(request.user ? RateKey::of_user(*request.user) : RateKey::of_address(addresses_.of(request)));
}

Charge RequestLimit::charge_worker(const net::Request& request) {
  const auto session = request.header(worker_session_header).value_or("");
  return take(session.empty() ? RateKey::of_worker(addresses_.of(request)) : RateKey::of_worker(session));
}

net::Response RequestLimit::refusal(const net::Request& request, const Charge& charge) const {
  const auto& limits = limit_.limits();
  auto response = limited_response(
      request,
      fmt::format("too many requests: {:g} per second are allowed, and {} at once; ask again in {} s",
                  limits.rps, limits.burst, charge.retry_after),
      charge.retry_after);
  describe(response, charge);
  return response;
}

void describe(net::Response& response, const Charge& charge) {
  response.headers.emplace_back("X-RateLimit-Limit", std::to_string(charge.limit));
  response.headers.emplace_back("X-RateLimit-Remaining", std::to_string(charge.remaining));
}

}  // namespace dg::api
