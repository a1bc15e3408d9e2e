#include <algorithm>

#include "api/input.hpp"
#include "api/langgraph/common_input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/langgraph/shapes.hpp"
#include "api/route.hpp"
#include "base/env.hpp"
#include "store/documents.hpp"

namespace dg::api::langgraph {
namespace {

using Answer = Task<Result<net::Response>>;

struct StateQuestion {
  app::Caller caller;
  app::StateAddress address;
  std::string checkpoint_map = "null";
  bool subgraphs = false;
};

// What a worker is asked of a thread needs a graph that exists.
Task<Status> check_graph(app::App& app, app::Caller caller, std::string thread_id) {
  const auto row = co_await app.threads.get(std::move(caller), std::move(thread_id));
  if (!row) co_return fail(row.error());
  const auto graph = json::View(row->thread.metadata)["graph_id"].string();
  if (graph.empty() || co_await app.workers.look_up(graph)) co_return Status{};
  co_return fail(Errc::not_found, "the thread's graph \"" + graph +
                                      "\" does not exist. Graphs here: " + app.workers.graph_names() + ".");
}

// The newest state of a thread that stands still while some tasks of its step are done, as paused and failed
// ones are. What those wrote is in no checkpoint, and only the graph knows what it makes of the values.
// Nothing where there is no such task, or no worker that could be asked.
Task<std::optional<std::string>> state_with_results(app::App& app, app::Caller caller,
                                                    app::StateAddress address,
                                                    const store::CheckpointState& stored) {
  const auto tasks = json::View(stored.projection)["tasks"].elements();
  if (std::ranges::none_of(tasks, store::is_finished)) co_return std::nullopt;
  const auto row = co_await app.threads.get(caller, address.thread_id);
  if (!row || row->status == domain::ThreadStatus::busy) co_return std::nullopt;
  const auto graph = app.workers.graph(json::View(row->thread.metadata)["graph_id"].string());
  if (!graph || !graph->served) co_return std::nullopt;
  auto now = co_await app.threads.worker_state(caller, std::move(address), "null", false);
  co_return now ? std::optional(std::move(*now)) : std::nullopt;
}

Answer answer_state(app::App& app, StateQuestion question) {
  const auto state = co_await app.threads.state(question.caller, question.address);
  if (!state) co_return fail(state.error());
  json::Writer out;
  if (!*state) {
    write_empty_state(out, question.address.thread_id);
    co_return json_response(out.take());
  }
  if (question.subgraphs) {
    if (auto known = co_await check_graph(app, question.caller, question.address.thread_id); !known)
      co_return fail(known.error());
    auto nested =
        co_await app.threads.worker_state(question.caller, question.address, question.checkpoint_map, true);
    if (!nested) co_return fail(nested.error());
    co_return json_response(std::move(*nested));
  }
  if (question.address.checkpoint_id.empty()) {
    if (auto now = co_await state_with_results(app, question.caller, question.address, **state))
      co_return json_response(std::move(*now));
    write_newest_state(out, **state);
  } else {
    write_state(out, **state);
  }
  co_return json_response(out.take());
}

Answer in_path(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  Query query(request);
  const bool subgraphs = query.flag("subgraphs", false);
  auto checkpoint = canonical_id(request.param("checkpoint_id"));  // empty: the newest
  if (!checkpoint.empty() && !is_uuid(checkpoint)) query.wrong("checkpoint_id", "must be a UUID");
  if (auto status = query.status(); !status) co_return fail(status.error());
  co_return co_await answer_state(
      app, {caller_of(request), {std::move(*id), "", std::move(checkpoint)}, "null", subgraphs});
}

Answer at_checkpoint(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto place = read_checkpoint(*body, *id);
  const bool subgraphs = body->boolean("subgraphs", false);
  if (auto status = body->status(); !status) co_return fail(status.error());
  app::StateAddress address{std::move(*id), place.ns.value_or(""), place.id.value_or("")};
  co_return co_await answer_state(app,
                                  {caller_of(request), std::move(address), std::move(place.map), subgraphs});
}

Answer update(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  app::StateUpdate change;
  change.values = body->any("values");
  const json::View values(change.values);
  if (!values.is_null() && !values.is_object() && !values.is_array())
    body->wrong("values", "must be an object, a list or null");
  change.as_node = body->optional_text("as_node");
  auto place = read_checkpoint(*body, *id);
  change.checkpoint_id = place.id.value_or("");
  change.checkpoint_ns = place.ns.value_or("");
  change.checkpoint_map = std::move(place.map);
  if (auto status = body->status(); !status) co_return fail(status.error());
  if (auto known = co_await check_graph(app, caller_of(request), *id); !known) co_return fail(known.error());
  auto result = co_await app.threads.update_state(caller_of(request), std::move(*id), std::move(change));
  if (!result) co_return fail(result.error());
  co_return json_response(std::move(*result));
}

std::string checked_before(Mistakes& mistakes, const std::string& id) {
  if (!is_uuid(id))
    mistakes.wrong("before", "must be a checkpoint's id, a checkpoint, or a config that has one");
  return canonical_id(id);
}

// `before` is an id, a checkpoint, or a config that holds one.
std::string read_before(Body& body) {
  const auto before = body.view()["before"];
  if (before.is_null()) return "";
  if (before.is_string()) return checked_before(body, before.string());
  const auto inner = before["configurable"].is_object() ? before["configurable"] : before;
  return checked_before(body, inner["checkpoint_id"].string());
}

Answer give_history(app::App& app, const net::Request& request, app::HistoryQuery query) {
  const auto states = co_await app.threads.history(caller_of(request), std::move(query));
  if (!states) co_return fail(states.error());
  co_return json_response(list_text(*states, write_state));
}

Answer post_history(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  app::HistoryQuery query;
  query.limit = body->integer("limit", 10, 1, 1000);
  query.before = read_before(*body);
  query.metadata = body->object("metadata");
  const auto place = read_checkpoint(*body, *id);
  query.ns = place.ns.value_or("");
  query.checkpoint_id = place.id.value_or("");
  query.thread_id = std::move(*id);
  if (auto status = body->status(); !status) co_return fail(status.error());
  co_return co_await give_history(app, request, std::move(query));
}

Answer get_history(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  Query query(request);
  app::HistoryQuery wanted;
  wanted.thread_id = std::move(*id);
  wanted.limit = query.integer("limit", 10, 1, 1000);
  if (const auto before = query.text("before"); !before.empty())
    wanted.before = checked_before(query, before);
  if (auto status = query.status(); !status) co_return fail(status.error());
  co_return co_await give_history(app, request, std::move(wanted));
}

}  // namespace

void add_state_routes(net::Router& router, app::App& app, const std::string& prefix) {
  const std::string thread = prefix + "/threads/{thread_id}";
  route(router, app, net::Method::get, thread + "/state", Needs::read, in_path);
  route(router, app, net::Method::post, thread + "/state", Needs::write, update);
  route(router, app, net::Method::post, thread + "/state/checkpoint", Needs::read, at_checkpoint);
  route(router, app, net::Method::get, thread + "/state/{checkpoint_id}", Needs::read, in_path);
  route(router, app, net::Method::get, thread + "/history", Needs::read, get_history);
  route(router, app, net::Method::post, thread + "/history", Needs::read, post_history);
}

}  // namespace dg::api::langgraph
