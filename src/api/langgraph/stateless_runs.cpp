#include "api/input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/langgraph/run_input.hpp"
#include "api/langgraph/run_stream.hpp"
#include "api/langgraph/shapes.hpp"
#include "api/route.hpp"

namespace dg::api::langgraph {
namespace {

using Answer = Task<Result<net::Response>>;

void add_locations(net::Response& response, const domain::Run& run, std::string_view resume) {
  response.headers.emplace_back("Content-Location", "/runs/" + run.id);
  response.headers.emplace_back("Location",
                                "/threads/" + run.thread_id + "/runs/" + run.id + std::string(resume));
}

Task<Result<domain::Run>> create_run(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto order = read_stateless_order(*body);
  if (auto status = body->status(); !status) co_return fail(status.error());
  co_return co_await app.runs.create(std::move(order));
}

Answer create(app::App& app, net::Request& request) {
  const auto run = co_await create_run(app, request);
  if (!run) co_return fail(run.error());
  auto response = json_response(to_text(*run, write_run));
  add_locations(response, *run, "/stream");
  co_return response;
}

Answer stream(app::App& app, net::Request& request) {
  const auto run = co_await create_run(app, request);
  if (!run) co_return fail(run.error());
  auto response = stream_response(app, {run->id, 0, {}, run->request.cancel_on_disconnect});
  add_locations(response, *run, "/stream");
  co_return response;
}

Answer wait(app::App& app, net::Request& request) {
  const auto run = co_await create_run(app, request);
  if (!run) co_return fail(run.error());
  auto response = join_response(app, run->id, run->request.cancel_on_disconnect);
  add_locations(response, *run, "/join");
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
    mistakes.take_errors(body);
  }
  if (auto status = mistakes.status(); !status) co_return fail(status.error());
  std::vector<domain::Run> runs;
  for (auto& order : orders) {
    auto run = co_await app.runs.create(std::move(order));
    if (!run) co_return fail(run.error());
    runs.push_back(std::move(*run));
  }
  co_return json_response(list_text(runs, write_run));
}

}  // namespace

void add_stateless_run_routes(net::Router& router, app::App& app, const std::string& prefix) {
  route(router, app, net::Method::post, prefix + "/runs", create);
  route(router, app, net::Method::post, prefix + "/runs/stream", stream);
  route(router, app, net::Method::post, prefix + "/runs/wait", wait);
  route(router, app, net::Method::post, prefix + "/runs/batch", batch);
}

}  // namespace dg::api::langgraph
