// The rate limit as requests meet it: who is charged, and what the answer says of it.
#pragma once

#include <string_view>

#include "api/client_address.hpp"
#include "api/rate_limit.hpp"
#include "base/metrics.hpp"
#include "net/http.hpp"

namespace dg::api {

// Whether a path is asked by probes and scrapers (/health, /livez, /readyz, /ok and /metrics, below /api/v1
// too). These are neither counted nor asked for credentials, and their answers say nothing of limits.
bool is_probe(std::string_view path);

// The header in which a worker names its session, so that each worker of a machine is counted by itself. It
// is believed of a request whose token is right.
inline constexpr std::string_view worker_session_header = "X-Duragraph-Session";

class RequestLimit {
 public:
  // What it is made of outlives it, and `metrics` is not rendered after it has gone.
  RequestLimit(Timers& timers, Metrics& metrics, const RateLimits& limits, net::Networks trusted_proxies);

  // Charges the request's user, else its client's address: call it after authentication.
  Charge charge(const net::Request& request);
  // Charges a worker that has shown its token.
  Charge charge_worker(const net::Request& request);
  // The answer to a request that was refused.
  net::Response refusal(const net::Request& request, const Charge& charge) const;

 private:
  Charge take(const RateKey& key);

  RateLimit limit_;
  ClientAddresses addresses_;
  Counter& refusals_;
};

// Says in the head of an answer what is left.
void describe(net::Response& response, const Charge& charge);

}  // namespace dg::api
