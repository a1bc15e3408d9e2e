// From a handler that gives a Result to one that the router takes.
#pragma once

#include <string>

#include "api/errors.hpp"
#include "api/permissions.hpp"
#include "app/app.hpp"
#include "net/router.hpp"

namespace dg::api {

// A handler is a plain function, so that its coroutine holds nothing but its arguments.
using RouteHandler = Task<Result<net::Response>> (*)(app::App&, net::Request&);

inline Task<net::Response> run_handler(RouteHandler handler, app::App& app, net::Request& request) {
  auto response = co_await handler(app, request);
  if (response) co_return std::move(*response);
  co_return error_response(request, response.error());
}

inline Task<net::Response> refuse_role(const net::Request& request, Error error) {
  co_return error_response(request, error);
}

// A route, and what it needs of a request's role.
inline void route(net::Router& router, app::App& app, net::Method method, const std::string& pattern,
                  Needs needs, RouteHandler handler) {
  router.add(method, pattern, [handler, needs, &app](net::Request& request) -> Task<net::Response> {
    if (const auto allowed = check_role(request, needs); !allowed)
      return refuse_role(request, allowed.error());
    return run_handler(handler, app, request);
  });
}

}  // namespace dg::api
