// The requests that create a run: on the thread that the path names, or on one of its own.
#include "api/input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/langgraph/run_input.hpp"
#include "api/langgraph/run_stream.hpp"
#include "api/langgraph/shapes.hpp"
#include "api/route.hpp"

namespace dg::api::langgraph {
namespace {

using Answer = Task<Result<net::Response>>;

bool names_thread(const net::Request& request) {
  return request.params.contains("thread_id");
}

void add_trace(app::RunOrder& order, const net::Request& request) {
  if (!request.trace) return;
  order.request.traceparent = to_traceparent(*request.trace);
  order.request.tracestate = request.trace->state;
}

Task<Result<domain::Run>> create_run(app::App& app, net::Request& request) {
  std::optional<std::string> thread_id;
  if (names_thread(request)) {
    auto id = path_uuid(request, "thread_id");
    if (!id) co_return fail(id.error());
    thread_id = std::move(*id);
  }
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto order = thread_id ? read_run_order(*body, *thread_id) : read_stateless_order(*body);
  if (auto status = body->status(); !status) co_return fail(status.error());
  if (thread_id) order.thread_id = std::move(thread_id);
  add_trace(order, request);
  co_return co_await app.runs.create(caller_of(request), std::move(order));
}

// LangGraph's clients read the run's id from Content-Location, whose form tells the two kinds apart.
void add_created(net::Response& response, const net::Request& request, const domain::Run& run,
                 std::string_view resume) {
  add_locations(response, run, names_thread(request) ? path_of(run) : "/runs/" + run.id, resume);
}

Answer create(app::App& app, net::Request& request) {
  const auto run = co_await create_run(app, request);
  if (!run) co_return fail(run.error());
  auto response = json_response(to_text(*run, write_run));
  add_created(response, request, *run, "/stream");
  co_return response;
}

Answer stream(app::App& app, net::Request& request) {
  const auto run = co_await create_run(app, request);
  if (!run) co_return fail(run.error());
  auto response = stream_response(app, {run->id, 0, {}, run->request.cancel_on_disconnect});
  add_created(response, request, *run, "/stream");
  co_return response;
}

Answer wait(app::App& app, net::Request& request) {
  const auto run = co_await create_run(app, request);
  if (!run) co_return fail(run.error());
  auto response = join_response(app, run->id, run->request.cancel_on_disconnect);
  add_created(response, request, *run, "/join");
  co_return response;
}

// Every order is read before the first run is made, so that a mistake in one makes none.
Answer batch(app::App& app, net::Request& request) {
  if (auto valid = json::validate(request.body, json::client_rules); !valid) co_return fail(valid.error());
  const json::View list(request.body);
  const auto elements = list.elements();
  if (!list.is_array() || elements.empty())
    co_return fail(Error{Errc::invalid_argument, "the body must be a list of at least one run", {}});
  std::vector<app::RunOrder> orders;
  Body mistakes(json::View("{}"));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const auto place = "[" + std::to_string(i) + "]";
    if (!elements[i].is_object()) {
      mistakes.wrong(place, "must be an object");
      continue;
    }
    Body body(elements[i], place);
    orders.push_back(read_stateless_order(body));
    add_trace(orders.back(), request);
    mistakes.take_errors(body);
  }
  if (auto status = mistakes.status(); !status) co_return fail(status.error());
  const auto runs = co_await app.runs.create_all(caller_of(request), std::move(orders));
  if (!runs) co_return fail(runs.error());
  co_return json_response(list_text(*runs, write_run));
}

}  // namespace

void add_run_creation_routes(net::Router& router, app::App& app, const std::string& prefix) {
  for (const auto* const runs : {"/threads/{thread_id}/runs", "/runs"}) {
    route(router, app, net::Method::post, prefix + runs, Needs::write, create);
    route(router, app, net::Method::post, prefix + runs + "/stream", Needs::write, stream);
    route(router, app, net::Method::post, prefix + runs + "/wait", Needs::write, wait);
  }
  route(router, app, net::Method::post, prefix + "/runs/batch", Needs::write, batch);
}

}  // namespace dg::api::langgraph
