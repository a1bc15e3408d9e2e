#include "api/api.hpp"

#include <fmt/format.h>

#include <exception>

#include "api/access.hpp"
#include "api/duragraph/routes.hpp"
#include "api/errors.hpp"
#include "api/health.hpp"
#include "api/input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/request_metrics.hpp"
#include "base/log.hpp"

namespace dg::api {
namespace {

constexpr std::string_view exposed =
    "Content-Location, Location, X-Pagination-Total, X-Pagination-Next, ETag, Retry-After, X-Request-Id";

bool is_read(net::Method method) {
  return method == net::Method::get || method == net::Method::head || method == net::Method::options;
}

void add_cors(net::Response& response, std::string_view origin) {
  response.headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
  response.headers.emplace_back("Access-Control-Expose-Headers", std::string(exposed));
  response.headers.emplace_back("Vary", "Origin");
}

net::Response preflight(const net::Request& request, std::string_view origin) {
  auto response = empty_response(204);
  add_cors(response, origin);
  response.headers.emplace_back("Access-Control-Allow-Methods",
                                "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  if (const auto asked = request.header("Access-Control-Request-Headers"))
    response.headers.emplace_back("Access-Control-Allow-Headers", std::string(*asked));
  if (request.header("Access-Control-Request-Private-Network") == "true")
    response.headers.emplace_back("Access-Control-Allow-Private-Network", "true");
  response.headers.emplace_back("Access-Control-Max-Age", "600");
  return response;
}

// What is answered also while the server cannot serve.
bool is_probe(std::string_view pattern) {
  constexpr std::string_view prefix = "/api/v1";
  if (pattern.starts_with(prefix)) pattern.remove_prefix(prefix.size());
  for (const std::string_view probe : {"/ok", "/livez", "/readyz", "/health", "/metrics"})
    if (pattern == probe) return true;
  return false;
}

}  // namespace

struct Api::Impl {
  Impl(app::App& the_app, ApiSettings the_settings)
      : app(the_app), settings(std::move(the_settings)), metrics(the_app.metrics) {
    for (const std::string prefix : {"", "/api/v1"}) langgraph::add_routes(router, app, prefix);
    duragraph::add_routes(router, app);
    add_health_routes(router, app);
  }

  Task<net::Response> handle(net::Request& request, const net::Router::Match& match);
  Task<net::Response> answer(net::Request& request, const net::Router::Match& match);

  app::App& app;
  ApiSettings settings;
  net::Router router;
  RequestMetrics metrics;
};

Task<net::Response> Api::Impl::answer(net::Request& request, const net::Router::Match& match) {
  if (match.handler == nullptr) {
    if (match.allowed.empty())
      co_return error_response(request, {Errc::not_found, "nothing is served at " + request.path, {}});
    std::string allowed;
    for (const auto& method : match.allowed) allowed += (allowed.empty() ? "" : ", ") + method;
    auto response = error_response(
        request, {Errc::method_not_allowed,
                  fmt::format("{} is not allowed here; allowed: {}", request.method_name(), allowed),
                  {}});
    response.headers.emplace_back("Allow", allowed);
    co_return response;
  }
  if (const auto& reason = app.health.why_not_ready(); !reason.empty() && !is_probe(match.pattern))
    co_return error_response(request, {Errc::unavailable, reason, {}});
  try {
    co_return co_await (*match.handler)(request);
  } catch (const std::exception& bug) {
    log::error("a bug in {} {}: {}", request.method_name(), match.pattern, bug.what());
  }
  co_return error_response(request, {Errc::internal, "the server made a mistake; its log says more", {}});
}

Task<net::Response> Api::Impl::handle(net::Request& request, const net::Router::Match& match) {
  const auto began = app.context.env.timers.now();
  if (settings.access.loopback_only && !is_loopback_host(request.header("Host").value_or(""))) {
    co_return error_response(
        request,
        {Errc::forbidden,
         "this server answers loopback names only, as localhost; to serve others start it with --host",
         {}});
  }
  const auto origin = request.header("Origin");
  const bool allowed = origin && is_allowed_origin(settings.access, *origin);
  if (origin && !allowed && !is_read(request.method)) {
    co_return error_response(
        request, {Errc::forbidden,
                  fmt::format("pages of {} may not use this server; allow them with --cors-origin", *origin),
                  {}});
  }
  net::Response response;
  if (allowed && request.method == net::Method::options) {
    response = preflight(request, *origin);
  } else {
    response = co_await answer(request, match);
    if (allowed) add_cors(response, *origin);
  }
  metrics.count(match.pattern, request.method, response.status, app.context.env.timers.now() - began);
  co_return response;
}

Api::Api(app::App& app, ApiSettings settings) : impl_(std::make_unique<Impl>(app, std::move(settings))) {}
Api::~Api() = default;

net::Router& Api::router() {
  return impl_->router;
}

net::Middleware Api::middleware() {
  return [impl = impl_.get()](net::Request& request, const net::Router::Match& match) {
    return impl->handle(request, match);
  };
}

net::Response Api::refusal(const net::Request& request, Error error) const {
  return error_response(request, error);
}

}  // namespace dg::api
