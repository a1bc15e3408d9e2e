// Everything that is served over HTTP, as one router and what wraps its requests.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/rate_limit.hpp"
#include "app/app.hpp"
#include "net/router.hpp"
#include "net/server.hpp"

namespace dg::api {

// Who may talk to the server.
struct Access {
  bool loopback_only = true;         // answer only requests whose Host is a loopback name
  std::vector<std::string> origins;  // allowed beside loopback ones and LangGraph Studio's; "*": all
};

// Finds out whom a request comes from and says so in Request::user and Request::role. An error (unauthorized,
// unavailable) is the answer. It is asked before the request is counted, and not for probes (is_probe) and
// preflights.
using Authenticate = std::function<Task<Status>(net::Request&)>;

struct ApiSettings {
  Access access;
  std::optional<RateLimits> rate_limit = {};  // nothing: requests are not counted
  net::Networks trusted_proxies = {};         // whose forwarded headers say who the client is, for the limit
  Authenticate authenticate = {};  // empty: nobody is asked who they are, and all may do everything
};

class RequestLimit;

class Api {
 public:
  // `app` must outlive the API, and the API every request.
  Api(app::App& app, ApiSettings settings);
  ~Api();

  net::Router& router();
  net::Middleware middleware();
  // The response to a request that broke HTTP or a limit of its size. It is counted, too, as its address's.
  net::Response refusal(const net::Request& request, const Error& error) const;
  // Null where requests are not counted. Lives as long as the API.
  RequestLimit* limit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dg::api
