// The memory store.
#include "app/items.hpp"

#include "api/input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/langgraph/shapes.hpp"
#include "api/route.hpp"

namespace dg::api::langgraph {
namespace {

using Answer = Task<Result<net::Response>>;

std::vector<std::string> split(std::string_view dotted) {
  std::vector<std::string> out;
  while (!dotted.empty()) {
    const auto dot = dotted.find('.');
    out.emplace_back(dotted.substr(0, dot));
    if (dot == std::string_view::npos) break;
    dotted.remove_prefix(dot + 1);
    if (dotted.empty()) out.emplace_back();  // a trailing dot ends in an empty label
  }
  return out;
}

Answer put(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto ns = body->texts("namespace");
  auto key = body->required_text("key");
  if (body->view()["value"].is_null()) body->wrong("value", "is required");
  auto value = body->object("value");
  body->unsupported("ttl", "; items are kept until they are deleted");
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto done = co_await app::put_item(app.context, std::move(ns), std::move(key), std::move(value));
  if (!done) co_return fail(done.error());
  co_return empty_response(204);
}

Answer get(app::App& app, net::Request& request) {
  std::vector<std::string> ns;
  for (const auto& part : query_list(request, "namespace"))
    for (auto& label : split(part)) ns.push_back(std::move(label));
  if (auto valid = app::check_namespace(ns); !valid) co_return fail(valid.error());
  const auto key = request.query_value("key");
  if (!key) co_return fail(Error{Errc::invalid_argument, "key: is required", {{"key", "is required"}}});
  const auto item = co_await app.context.store.item(std::move(ns), std::string(*key));
  if (!item) co_return fail(item.error());
  co_return json_response(*item ? to_text(**item, write_item) : "null");
}

Answer remove(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto ns = body->texts("namespace");
  auto key = body->required_text("key");
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto done = co_await app::put_item(app.context, std::move(ns), std::move(key), "null");
  if (!done) co_return fail(done.error());
  co_return empty_response(204);
}

Answer search(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  store::ItemSearch search;
  search.prefix = body->texts("namespace_prefix");
  search.filter = body->object("filter");
  search.limit = body->integer("limit", 10, 1, 1000);
  search.offset = body->integer("offset", 0, 0, INT64_MAX);
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto items = co_await app.context.store.items(std::move(search));
  if (!items) co_return fail(items.error());
  co_return json_response(
      json::Writer().begin_object().key("items").raw(list_text(*items, write_item)).end_object().take());
}

Answer namespaces(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  store::NamespaceSearch search;
  search.prefix = body->texts("prefix");
  search.suffix = body->texts("suffix");
  search.max_depth = body->integer("max_depth", 0, 0, INT64_MAX);
  search.limit = body->integer("limit", 100, 1, 1000);
  search.offset = body->integer("offset", 0, 0, INT64_MAX);
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto found = co_await app.context.store.namespaces(std::move(search));
  if (!found) co_return fail(found.error());
  json::Writer out;
  out.begin_object().key("namespaces").begin_array();
  for (const auto& labels : *found) {
    out.begin_array();
    for (const auto& label : labels) out.string(label);
    out.end_array();
  }
  out.end_array().end_object();
  co_return json_response(out.take());
}

}  // namespace

void add_item_routes(net::Router& router, app::App& app, const std::string& prefix) {
  route(router, app, net::Method::put, prefix + "/store/items", put);
  route(router, app, net::Method::get, prefix + "/store/items", get);
  route(router, app, net::Method::del, prefix + "/store/items", remove);
  route(router, app, net::Method::post, prefix + "/store/items/search", search);
  route(router, app, net::Method::post, prefix + "/store/namespaces", namespaces);
}

}  // namespace dg::api::langgraph
