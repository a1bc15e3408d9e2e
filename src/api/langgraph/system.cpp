#include <chrono>
#include <limits>

#include "api/input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/route.hpp"

namespace dg::api::langgraph {
namespace {

using Answer = Task<Result<net::Response>>;

Answer ok(app::App& app, net::Request& request) {
  Query query(request);
  const bool check_db = query.flag("check_db", false);
  if (auto status = query.status(); !status) co_return fail(status.error());
  if (check_db) {
    if (const auto version = co_await app.context.store.ping(); !version) co_return fail(version.error());
  }
  co_return json_response(R"({"ok":true})");
}

Answer info(app::App& app, net::Request&) {
  json::Writer out;
  out.begin_object().key("version").string(app.context.version).key("context").string("duragraph");
  for (const auto& session : app.workers.sessions()) {
    const auto library = json::View(session->worker)["versions"]["langgraph"];
    if (!library.is_string()) continue;
    out.key("langgraph_py_version").raw(library.raw());
    break;
  }
  out.key("flags").begin_object().key("assistants").boolean(true).key("crons").boolean(false);
  out.key("langsmith").boolean(false).key("langsmith_tracing_replicas").boolean(false).end_object();
  out.key("metadata").begin_object().key("instance").string(app.context.instance).end_object().end_object();
  co_return json_response(out.take());
}

// The summary that LangGraph's server gives for format=json.
std::string metrics_json(const app::App& app, const store::ActiveRuns& runs) {
  const auto max = app.workers.slots();
  const auto available = app.workers.free_slots();
  json::Writer out;
  out.begin_object().key("workers").begin_object().key("max").integer(max);
  out.key("active").integer(max - available).key("available").integer(available).end_object();
  out.key("queue").begin_object().key("n_pending").integer(runs.queued);
  out.key("n_running").integer(runs.in_progress).end_object().end_object();
  return out.take();
}

// Gauges of what is asked for anew with each look. What nobody can say now is no number.
void show_state(app::App& app, const app::DatabaseHealth& database, const Result<store::ActiveRuns>& runs) {
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  const auto show = [&app](const char* name, const char* help, double value, const Labels& labels = {}) {
    app.metrics.gauge(name, help, labels).set(value);
  };
  const auto show_runs = [&](const char* state, std::int64_t store::ActiveRuns::* count) {
    show("duragraph_runs", "Runs that wait or run", runs ? static_cast<double>((*runs).*count) : unknown,
         {{"state", state}});
  };
  show_runs("queued", &store::ActiveRuns::queued);
  show_runs("in_progress", &store::ActiveRuns::in_progress);
  const bool up = database.error.empty();
  show("duragraph_database_up", "Whether the database answers", up ? 1 : 0);
  show("duragraph_database_ping_seconds", "How long its last answer took",
       up ? std::chrono::duration<double>(database.latency).count() : unknown);
  show("duragraph_ready", "Whether this instance serves requests",
       app.health.why_not_ready().empty() ? 1 : 0);
}

Answer metrics(app::App& app, net::Request& request) {
  const auto format = request.query_value("format").value_or("prometheus");
  if (format != "prometheus" && format != "json")
    co_return fail(Error{Errc::invalid_argument,
                         "format: must be prometheus or json",
                         {{"format", "must be prometheus or json"}}});
  // What the process itself counts is told also when the database does not answer.
  const auto database = co_await app.health.database();
  Result<store::ActiveRuns> runs = fail(Errc::unavailable, database.error);
  if (database.error.empty()) runs = co_await app.context.store.active_runs();
  if (format == "json") {
    if (!runs) co_return fail(runs.error());
    co_return json_response(metrics_json(app, *runs));
  }
  show_state(app, database, runs);
  auto response = json_response(app.metrics.render());
  response.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
  co_return response;
}

}  // namespace

void add_system_routes(net::Router& router, app::App& app, const std::string& prefix) {
  route(router, app, net::Method::get, prefix + "/ok", Needs::nothing, ok);
  route(router, app, net::Method::get, prefix + "/info", Needs::read, info);
  route(router, app, net::Method::get, prefix + "/metrics", Needs::nothing, metrics);
}

}  // namespace dg::api::langgraph
