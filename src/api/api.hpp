// Everything that is served over HTTP, as one router and what wraps its requests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/app.hpp"
#include "net/router.hpp"
#include "net/server.hpp"

namespace dg::api {

// Who may talk to the server.
struct Access {
  bool loopback_only = true;         // answer only requests whose Host is a loopback name
  std::vector<std::string> origins;  // allowed beside loopback ones and LangGraph Studio's; "*": all
};

struct ApiSettings {
  Access access;
};

class Api {
 public:
  // `app` must outlive the API, and the API every request.
  Api(app::App& app, ApiSettings settings);
  ~Api();

  net::Router& router();
  net::Middleware middleware();
  // The response to a request that broke HTTP or a limit.
  net::Response refusal(const net::Request& request, Error error) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dg::api
