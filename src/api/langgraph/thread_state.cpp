#include "api/input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/langgraph/shapes.hpp"
#include "api/route.hpp"

namespace dg::api::langgraph {
namespace {

using Answer = Task<Result<net::Response>>;

struct StateQuestion {
  app::StateAddress address;
  std::string checkpoint_map = "null";
  bool subgraphs = false;
};

Answer answer_state(app::App& app, StateQuestion question) {
  const auto state = co_await app.threads.state(question.address);
  if (!state) co_return fail(state.error());
  json::Writer out;
  if (!*state) {
    write_empty_state(out, question.address.thread_id);
    co_return json_response(out.take());
  }
  if (question.subgraphs) {
    auto nested = co_await app.threads.nested_state(question.address, question.checkpoint_map);
    if (!nested) co_return fail(nested.error());
    co_return json_response(std::move(*nested));
  }
  if (question.address.checkpoint_id.empty()) {
    write_newest_state(out, **state);
  } else {
    write_state(out, **state);
  }
  co_return json_response(out.take());
}

Answer newest(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  co_return co_await answer_state(
      app, {{std::move(*id), "", ""}, "null", query_flag(request, "subgraphs", false)});
}

Answer at_id(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  co_return co_await answer_state(app, {{std::move(*id), "", request.param("checkpoint_id")},
                                        "null",
                                        query_flag(request, "subgraphs", false)});
}

// A checkpoint object: {checkpoint_id, checkpoint_ns, checkpoint_map}.
Body checkpoint_of(const Body& body) {
  const auto checkpoint = body.view()["checkpoint"];
  return Body(checkpoint.is_object() ? checkpoint : json::View("{}"), "checkpoint");
}

Answer at_checkpoint(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  body->object("checkpoint");
  auto checkpoint = checkpoint_of(*body);
  StateQuestion question;
  question.address = {std::move(*id), checkpoint.text("checkpoint_ns"), checkpoint.text("checkpoint_id")};
  question.checkpoint_map = checkpoint.object("checkpoint_map", "null");
  question.subgraphs = body->boolean("subgraphs", false);
  body->take_errors(checkpoint);
  if (auto status = body->status(); !status) co_return fail(status.error());
  co_return co_await answer_state(app, std::move(question));
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
  body->object("checkpoint");
  auto checkpoint = checkpoint_of(*body);
  change.checkpoint_id = checkpoint.text("checkpoint_id", body->text("checkpoint_id"));
  change.checkpoint_ns = checkpoint.text("checkpoint_ns");
  change.checkpoint_map = checkpoint.object("checkpoint_map", "null");
  body->take_errors(checkpoint);
  if (auto status = body->status(); !status) co_return fail(status.error());
  auto result = co_await app.threads.update_state(std::move(*id), std::move(change));
  if (!result) co_return fail(result.error());
  co_return json_response(std::move(*result));
}

// The legacy PATCH: merges metadata into the thread's.
Answer patch(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto metadata = body->object("metadata");
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto row = co_await app.threads.patch(std::move(*id), std::move(metadata));
  if (!row) co_return fail(row.error());
  co_return json_response(to_text(*row, write_thread));
}

// `before` is an id, a checkpoint, or a config that holds one.
std::string read_before(Body& body) {
  const auto before = body.view()["before"];
  if (before.is_string()) return before.string();
  if (before.is_object()) {
    const auto inner = before["configurable"].is_object() ? before["configurable"] : before;
    return inner["checkpoint_id"].string();
  }
  if (!before.is_null()) body.wrong("before", "must be a checkpoint's id or a checkpoint");
  return "";
}

Answer give_history(app::App& app, app::HistoryQuery query) {
  const auto states = co_await app.threads.history(std::move(query));
  if (!states) co_return fail(states.error());
  co_return json_response(list_text(*states, write_state));
}

Answer post_history(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  app::HistoryQuery query;
  query.thread_id = std::move(*id);
  query.limit = body->integer("limit", 10, 1, 1000);
  query.before = read_before(*body);
  query.metadata = body->object("metadata");
  body->object("checkpoint");
  auto checkpoint = checkpoint_of(*body);
  query.ns = checkpoint.text("checkpoint_ns");
  query.checkpoint_id = checkpoint.text("checkpoint_id");
  body->take_errors(checkpoint);
  if (auto status = body->status(); !status) co_return fail(status.error());
  co_return co_await give_history(app, std::move(query));
}

Answer get_history(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  const auto limit = query_integer(request, "limit", 10, 1, 1000);
  if (!limit) co_return fail(limit.error());
  app::HistoryQuery query;
  query.thread_id = std::move(*id);
  query.limit = *limit;
  query.before = std::string(request.query_value("before").value_or(""));
  co_return co_await give_history(app, std::move(query));
}

}  // namespace

void add_state_routes(net::Router& router, app::App& app, const std::string& prefix) {
  const std::string thread = prefix + "/threads/{thread_id}";
  route(router, app, net::Method::get, thread + "/state", newest);
  route(router, app, net::Method::post, thread + "/state", update);
  route(router, app, net::Method::patch, thread + "/state", patch);
  route(router, app, net::Method::post, thread + "/state/checkpoint", at_checkpoint);
  route(router, app, net::Method::get, thread + "/state/{checkpoint_id}", at_id);
  route(router, app, net::Method::get, thread + "/history", get_history);
  route(router, app, net::Method::post, thread + "/history", post_history);
}

}  // namespace dg::api::langgraph
