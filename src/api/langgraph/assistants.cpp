#include "api/input.hpp"
#include "api/langgraph/common_input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/langgraph/shapes.hpp"
#include "api/route.hpp"

namespace dg::api::langgraph {
namespace {

using Answer = Task<Result<net::Response>>;

constexpr std::initializer_list<std::string_view> assistant_fields = {
    "assistant_id", "graph_id", "name",    "description", "config",
    "context",      "metadata", "version", "created_at",  "updated_at"};

// The assistant that the path names, by its id or its graph.
std::string reference_of(const net::Request& request) {
  return canonical_id(request.param("assistant_id"));
}

Answer create(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  app::AssistantDraft draft;
  draft.id = body->uuid("assistant_id");
  draft.graph_id = body->required_text("graph_id");
  draft.name = body->text("name", "Untitled");
  draft.description = body->optional_text("description");
  draft.config = read_config(*body);
  draft.context = body->object("context");
  draft.metadata = body->object("metadata");
  draft.keep_existing = body->choice("if_exists", "raise", {"raise", "do_nothing"}) == "do_nothing";
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto assistant = co_await app.assistants.create(caller_of(request), std::move(draft));
  if (!assistant) co_return fail(assistant.error());
  co_return json_response(to_text(*assistant, write_assistant));
}

store::AssistantFilter read_filter(Body& body) {
  store::AssistantFilter filter;
  filter.metadata = body.object("metadata");
  filter.graph_id = body.text("graph_id");
  filter.name = body.text("name");
  filter.sort_by =
      body.choice("sort_by", "created_at", {"assistant_id", "created_at", "updated_at", "name", "graph_id"});
  filter.descending = body.choice("sort_order", "desc", {"asc", "desc"}) == "desc";
  return filter;
}

Answer search(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto filter = read_filter(*body);
  const auto page = read_page(*body);
  const auto select = body->names("select", assistant_fields);
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto found = co_await app.assistants.search(caller_of(request), std::move(filter), page);
  if (!found) co_return fail(found.error());
  auto response = json_response(list_text(found->rows, write_assistant, select));
  add_pagination(response, page, found->rows.size(), found->total);
  co_return response;
}

Answer count(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto filter = read_filter(*body);
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto found = co_await app.assistants.search(caller_of(request), std::move(filter), {1, 0});
  if (!found) co_return fail(found.error());
  co_return json_response(std::to_string(found->total));
}

Answer get(app::App& app, net::Request& request) {
  const auto assistant = co_await app.assistants.get(caller_of(request), reference_of(request));
  if (!assistant) co_return fail(assistant.error());
  co_return json_response(to_text(*assistant, write_assistant));
}

Answer patch(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  app::AssistantPatch patch;
  patch.graph_id = body->optional_text("graph_id");
  patch.name = body->optional_text("name");
  patch.description = body->optional_text("description");
  const auto object = [&](std::string_view name) -> std::optional<std::string> {
    if (body->view()[name].is_null()) return std::nullopt;
    return body->object(name);
  };
  if (!body->view()["config"].is_null()) patch.config = read_config(*body);
  patch.context = object("context");
  patch.metadata = object("metadata");
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto assistant =
      co_await app.assistants.patch(caller_of(request), reference_of(request), std::move(patch));
  if (!assistant) co_return fail(assistant.error());
  co_return json_response(to_text(*assistant, write_assistant));
}

Answer remove(app::App& app, net::Request& request) {
  const auto id = app::assistant_id_of(reference_of(request));
  Query query(request);
  const bool threads = query.flag("delete_threads", false);
  if (auto status = query.status(); !status) co_return fail(status.error());
  const auto done = co_await app.assistants.remove(caller_of(request), id, threads);
  if (!done) co_return fail(done.error());
  co_return json_response(json::Writer().begin_array().string(id).end_array().take());
}

Answer versions(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto metadata = body->object("metadata");
  const auto page = read_page(*body);
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto found =
      co_await app.assistants.versions(caller_of(request), reference_of(request), std::move(metadata), page);
  if (!found) co_return fail(found.error());
  co_return json_response(list_text(*found, write_assistant_version));
}

Answer latest(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto number = body->integer("version", 0, 1, INT64_MAX);
  Query query(request);
  if (body->view()["version"].is_null()) number = query.integer("version", 0, 1, INT64_MAX);
  body->take_errors(query);
  if (number == 0 && !body->is_wrong("version")) body->wrong("version", "is required");
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto assistant =
      co_await app.assistants.choose_version(caller_of(request), reference_of(request), number);
  if (!assistant) co_return fail(assistant.error());
  co_return json_response(to_text(*assistant, write_assistant));
}

// xray is true, false or a depth.
std::string read_xray(Query& query) {
  const auto word = query.text("xray", "false");
  json::Writer out;
  out.begin_object().key("xray");
  if (word.find_first_not_of("0123456789") == std::string::npos) {
    out.integer(query.integer("xray", 0, 0, 1000));
  } else {
    out.boolean(query.flag("xray", false, "must be true, false or a depth from 0 to 1000"));
  }
  return out.end_object().take();
}

Answer graph(app::App& app, net::Request& request) {
  Query query(request);
  auto xray = read_xray(query);
  if (auto status = query.status(); !status) co_return fail(status.error());
  auto drawn =
      co_await app.assistants.describe(caller_of(request), reference_of(request), "graph", std::move(xray));
  if (!drawn) co_return fail(drawn.error());
  co_return json_response(std::move(*drawn));
}

Answer schemas(app::App& app, net::Request& request) {
  auto described =
      co_await app.assistants.describe(caller_of(request), reference_of(request), "schemas", "{}");
  if (!described) co_return fail(described.error());
  co_return json_response(std::move(*described));
}

Answer subgraphs(app::App& app, net::Request& request) {
  json::Writer extra;
  extra.begin_object().key("namespace");
  const auto found = request.params.find("namespace");
  if (found == request.params.end()) {
    extra.null();
  } else {
    extra.string(found->second);
  }
  Query query(request);
  extra.key("recurse").boolean(query.flag("recurse", false)).end_object();
  if (auto status = query.status(); !status) co_return fail(status.error());
  auto described =
      co_await app.assistants.describe(caller_of(request), reference_of(request), "subgraphs", extra.take());
  if (!described) co_return fail(described.error());
  co_return json_response(std::move(*described));
}

}  // namespace

void add_assistant_routes(net::Router& router, app::App& app, const std::string& prefix) {
  const std::string one = prefix + "/assistants/{assistant_id}";
  route(router, app, net::Method::post, prefix + "/assistants", Needs::write, create);
  route(router, app, net::Method::post, prefix + "/assistants/search", Needs::read, search);
  route(router, app, net::Method::post, prefix + "/assistants/count", Needs::read, count);
  route(router, app, net::Method::get, one, Needs::read, get);
  route(router, app, net::Method::patch, one, Needs::write, patch);
  route(router, app, net::Method::del, one, Needs::write, remove);
  route(router, app, net::Method::post, one + "/versions", Needs::read, versions);
  route(router, app, net::Method::post, one + "/latest", Needs::write, latest);
  route(router, app, net::Method::get, one + "/graph", Needs::read, graph);
  route(router, app, net::Method::get, one + "/schemas", Needs::read, schemas);
  route(router, app, net::Method::get, one + "/subgraphs", Needs::read, subgraphs);
  route(router, app, net::Method::get, one + "/subgraphs/{namespace}", Needs::read, subgraphs);
}

}  // namespace dg::api::langgraph
