#include "api/api.hpp"

#include <fmt/format.h>

#include <exception>

#include "api/access.hpp"
#include "api/duragraph/routes.hpp"
#include "api/errors.hpp"
#include "api/health.hpp"
#include "api/input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/permissions.hpp"
#include "api/request_limit.hpp"
#include "api/request_metrics.hpp"
#include "api/request_trace.hpp"
#include "base/log.hpp"

namespace dg::api {
namespace {

constexpr std::string_view exposed =
    "Content-Location, Location, X-Pagination-Total, X-Pagination-Next, ETag, Retry-After, X-Request-Id, "
    "X-RateLimit-Limit, X-RateLimit-Remaining";

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

// The origin of the page that asks, where its pages may use the API.
std::optional<std::string_view> allowed_origin(const Access& access, const net::Request& request) {
  const auto origin = request.header("Origin");
  return origin && is_allowed_origin(access, *origin) ? origin : std::nullopt;
}

// Whether this server answers that name and takes that from pages of that origin.
Status check_access(const Access& access, const net::Request& request) {
  // Only HTTP/1.0 has requests without a host, and no browser makes those.
  const auto host = request.header("Host");
  if (access.loopback_only && host && !is_loopback_host(*host))
    return fail(
        Errc::forbidden,
        "this server answers loopback names only, as localhost; to serve others start it with --host, or "
        "name the proxy in front of it in DURAGRAPH_TRUSTED_PROXIES");
  const auto origin = request.header("Origin");
  if (origin && !is_read(request.method) && !is_allowed_origin(access, *origin))
    return fail(Errc::forbidden,
                fmt::format("pages of {} may not use this server; allow them with --cors-origin", *origin));
  return {};
}

// A browser's question, in a page's name, whether the page may ask.
bool is_preflight(const net::Request& request) {
  return request.method == net::Method::options && request.header("Origin");
}

}  // namespace

struct Api::Impl {
  Impl(app::App& the_app, ApiSettings the_settings)
      : app(the_app), settings(std::move(the_settings)), metrics(the_app.metrics) {
    for (const std::string prefix : {"", "/api/v1"}) langgraph::add_routes(router, app, prefix);
    duragraph::add_routes(router, app);
    add_health_routes(router, app);
    if (settings.rate_limit)
      limit = std::make_unique<RequestLimit>(app.context.env.timers, app.metrics, *settings.rate_limit,
                                             settings.trusted_proxies);
  }

  Task<net::Response> handle(net::Request& request, const net::Router::Match& match);
  Task<net::Response> count_and_answer(net::Request& request, const net::Router::Match& match);
  Task<net::Response> answer(net::Request& request, const net::Router::Match& match);

  app::App& app;
  ApiSettings settings;
  net::Router router;
  RequestMetrics metrics;
  std::unique_ptr<RequestLimit> limit;
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
    log::error({{"request_id", request.request_id}}, "a bug in {} {}: {}", request.method_name(),
               match.pattern, bug.what());
  }
  co_return error_response(request, {Errc::internal, "the server made a mistake; its log says more", {}});
}

// Authentication comes first, so that who shows a good token is counted by name; whom it refuses, and who may
// not ask here at all, is counted by address.
Task<net::Response> Api::Impl::count_and_answer(net::Request& request, const net::Router::Match& match) {
  auto admitted = check_access(settings.access, request);
  const bool free = is_preflight(request) || is_probe(request.path) || is_probe(match.pattern);
  if (!settings.authenticate) request.role = role_of_anybody;
  if (admitted && !free && settings.authenticate) admitted = co_await settings.authenticate(request);
  if (free || !limit)
    co_return admitted ? co_await answer(request, match) : error_response(request, admitted.error());
  const auto charge = limit->charge(request);
  if (charge.refused) co_return limit->refusal(request, charge);
  auto response = admitted ? co_await answer(request, match) : error_response(request, admitted.error());
  describe(response, charge);
  co_return response;
}

Task<net::Response> Api::Impl::handle(net::Request& request, const net::Router::Match& match) {
  const auto began = app.context.env.timers.now();
  const RequestMetrics::Flight flight(metrics);
  RequestTrace trace(app.context, request);
  const auto origin = allowed_origin(settings.access, request);
  net::Response response;
  if (origin && is_preflight(request) && check_access(settings.access, request)) {
    response = preflight(request, *origin);
  } else {
    response = co_await count_and_answer(request, match);
    if (origin) add_cors(response, *origin);
  }
  const auto took = app.context.env.timers.now() - began;
  metrics.count(match.pattern, request.method, response.status, took);
  log_answer(request, match.pattern, response.status, took);
  trace.answered(request, match.pattern, response);
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

net::Response Api::refusal(const net::Request& request, const Error& error) const {
  auto response = error_response(request, error);
  impl_->metrics.count_refusal(request.method, request.refused_with);
  if (const auto origin = allowed_origin(impl_->settings.access, request)) add_cors(response, *origin);
  // Without a target nothing was asked yet: a connection too many, or no HTTP. The path may not be read yet.
  const auto path = std::string_view(request.target).substr(0, request.target.find('?'));
  if (impl_->limit && !path.empty() && !is_probe(path)) describe(response, impl_->limit->charge(request));
  return response;
}

RequestLimit* Api::limit() {
  return impl_->limit.get();
}

}  // namespace dg::api
