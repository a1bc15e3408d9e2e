#include "api/duragraph/routes.hpp"

#include <map>

#include "api/input.hpp"
#include "api/langgraph/common_input.hpp"
#include "api/langgraph/shapes.hpp"
#include "api/route.hpp"

namespace dg::api::duragraph {
namespace {

using Answer = Task<Result<net::Response>>;
using json::View;
using json::Writer;

// The run in LangGraph's shape, with what only we tell of it.
void write_run(Writer& out, const domain::Run& run) {
  Writer base;
  langgraph::write_run(base, run);
  Writer more;
  more.begin_object().key("graph_id").string(run.graph_id).key("state").string(domain::to_string(run.state));
  more.key("epoch")
      .integer(run.epoch)
      .key("attempt")
      .integer(run.attempt)
      .key("revision")
      .string(run.revision);
  more.key("not_before").string(to_rfc3339(run.not_before)).key("error");
  if (run.error) {
    more.begin_object()
        .key("error")
        .string(run.error->error)
        .key("message")
        .string(run.error->message)
        .end_object();
  } else {
    more.null();
  }
  more.end_object();
  out.raw(json::merge(View(base.text()), View(more.text())));
}

Answer get_run(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "run_id");
  if (!id) co_return fail(id.error());
  const auto run = co_await app.runs.get(caller_of(request), std::move(*id));
  if (!run) co_return fail(run.error());
  co_return json_response(langgraph::to_text(*run, write_run));
}

// LangGraph's words for the states of a run, and ours.
std::vector<domain::RunState> read_states(Query& query) {
  const auto word = query.text("status");
  if (word.empty()) return {};
  if (const auto state = domain::run_state_from(word)) return {*state};
  auto states = langgraph::states_of(word);
  if (states.empty()) query.wrong("status", "\"" + word + "\" is no status of a run");
  return states;
}

Answer list_runs(app::App& app, net::Request& request) {
  Query query(request);
  const auto page = langgraph::read_page(query);
  store::RunFilter filter;
  filter.states = read_states(query);
  if (auto status = query.status(); !status) co_return fail(status.error());
  const auto runs = co_await app.runs.list(caller_of(request), std::move(filter), page);
  if (!runs) co_return fail(runs.error());
  co_return json_response(langgraph::list_text(*runs, write_run));
}

Answer why(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "run_id");
  if (!id) co_return fail(id.error());
  const auto why = co_await app.runs.why(caller_of(request), std::move(*id));
  if (!why) co_return fail(why.error());
  const auto reason = Writer()
                          .begin_object()
                          .key("code")
                          .string(why->code)
                          .key("message")
                          .string(why->message)
                          .end_object()
                          .take();
  Writer out;
  out.begin_object()
      .key("run_id")
      .string(why->run.id)
      .key("status")
      .string(langgraph::status_word(why->run.state));
  out.key("state").string(domain::to_string(why->run.state));
  out.key("reason").raw(json::merge(View(reason), View(why->details))).end_object();
  co_return json_response(out.take());
}

void write_worker(Writer& out, const app::WorkerSession& session, std::int64_t running) {
  const View worker(session.worker);
  out.begin_object().key("session_id").string(session.id).key("name").string(session.name);
  out.key("language").raw(worker["language"].raw()).key("versions").raw(worker["versions"].raw());
  out.key("pid").raw(worker["pid"].raw()).key("revision").string(session.revision);
  out.key("slots").integer(session.slots).key("running").integer(running);
  out.key("draining").boolean(session.draining).key("connected").boolean(session.connected());
  out.key("connected_at").string(to_rfc3339(session.connected_at)).key("graphs").begin_array();
  for (const auto& graph : session.graphs) {
    out.begin_object().key("graph_id").string(graph.graph_id).key("description").string(graph.description);
    out.key("error").raw(graph.error).end_object();
  }
  out.end_array().end_object();
}

Answer list_workers(app::App& app, net::Request&) {
  const auto leases = co_await app.context.store.leases();
  if (!leases) co_return fail(leases.error());
  std::map<std::string, std::int64_t> running;
  for (const auto& lease : *leases)
    if (lease.kind == store::LeaseKind::run) ++running[lease.session_id];
  Writer out;
  out.begin_object().key("workers").begin_array();
  for (const auto& session : app.workers.sessions()) write_worker(out, *session, running[session->id]);
  out.end_array().end_object();
  co_return json_response(out.take());
}

}  // namespace

void add_routes(net::Router& router, app::App& app) {
  route(router, app, net::Method::get, "/api/v1/runs", Needs::read, list_runs);
  route(router, app, net::Method::get, "/api/v1/runs/{run_id}", Needs::read, get_run);
  route(router, app, net::Method::get, "/api/v1/runs/{run_id}/why", Needs::read, why);
  route(router, app, net::Method::get, "/api/v1/workers", Needs::admin, list_workers);
}

}  // namespace dg::api::duragraph
