#include "api/health.hpp"

#include "api/errors.hpp"
#include "api/input.hpp"
#include "api/route.hpp"

namespace dg::api {
namespace {

using Answer = Task<Result<net::Response>>;

void write_database(json::Writer& out, const app::DatabaseHealth& database) {
  out.begin_object().key("status").string(database.error.empty() ? "healthy" : "unhealthy");
  out.key("latency_ms")
      .number(std::chrono::duration<double, std::milli>(database.latency).count())
      .key("schema");
  if (database.error.empty()) {
    out.integer(database.schema);
  } else {
    out.null().key("error").string(database.error);
  }
  out.end_object();
}

void write_broker(json::Writer& out, const app::BrokerHealth& broker) {
  out.begin_object().key("status").string(broker.error.empty() ? "healthy" : "unhealthy").key("latency_ms");
  if (broker.error.empty())
    out.number(std::chrono::duration<double, std::milli>(broker.latency).count());
  else
    out.null().key("error").string(broker.error);
  out.end_object();
}

Answer health(app::App& app, net::Request&) {
  const auto database = co_await app.health.database();
  const auto broker = app.health.broker();
  const bool healthy = database.error.empty();
  const bool degraded = broker && !broker->error.empty();
  json::Writer out;
  out.begin_object().key("status").string(!healthy ? "unhealthy" : degraded ? "degraded" : "healthy");
  out.key("version").string(app.context.version).key("instance").string(app.context.instance);
  out.key("checks").begin_object().key("database");
  write_database(out, database);
  if (broker) write_broker(out.key("nats"), *broker);
  out.end_object().end_object();
  co_return json_response(out.take(), healthy ? 200 : 503);
}

Answer live(app::App&, net::Request&) {
  co_return json_response(R"({"status":"live"})");
}

Answer ready(app::App& app, net::Request&) {
  auto reason = app.health.why_avoided();
  if (reason.empty()) reason = (co_await app.health.database()).error;
  json::Writer out;
  out.begin_object().key("status").string(reason.empty() ? "ready" : "not ready");
  if (!reason.empty()) out.key("reason").string(reason);
  out.end_object();
  co_return json_response(out.take(), reason.empty() ? 200 : 503);
}

}  // namespace

void add_health_routes(net::Router& router, app::App& app) {
  for (const std::string prefix : {"", "/api/v1"}) {
    route(router, app, net::Method::get, prefix + "/health", Needs::nothing, health);
    route(router, app, net::Method::get, prefix + "/livez", Needs::nothing, live);
    route(router, app, net::Method::get, prefix + "/readyz", Needs::nothing, ready);
  }
}

}  // namespace dg::api
