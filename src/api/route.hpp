// From a handler that gives a Result to one that the router takes.
#pragma once

#include <string>

#include "api/errors.hpp"
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

inline void route(net::Router& router, app::App& app, net::Method method, const std::string& pattern,
                  RouteHandler handler) {
  router.add(method, pattern,
             [handler, &app](net::Request& request) { return run_handler(handler, app, request); });
}

}  // namespace dg::api
