// The memory store.
#include "app/items.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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

struct ItemPlace {
  std::vector<std::string> ns;
  std::string key;
};

// A namespace that is missing altogether is refused by the store in its own words, unless other fields
// are wrong as well; so it is read last.
void check_namespace(Body& body, const std::vector<std::string>& ns) {
  if (body.is_wrong("namespace")) return;
  if (ns.empty() && !body.status()) body.wrong("namespace", "is required");
  if (ns.empty()) return;
  if (const auto valid = app::check_namespace(ns); !valid)
    for (const auto& field : valid.error().fields) body.wrong(field.place, field.message);
}

ItemPlace read_place(Body& body) {
  auto ns = body.list("namespace");
  return {std::move(ns), body.required_text("key")};
}

// false, or the paths to index; nothing is indexed here.
void check_index(Body& body) {
  const auto index = body.view()["index"];
  if (!index.is_bool()) {
    body.list("index");
  } else if (index.boolean() == true) {
    body.wrong("index", "must be false or a list of strings");
  }
}

Answer put(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto place = read_place(*body);
  if (body->view()["value"].is_null()) body->wrong("value", "is required and must be an object");
  auto value = body->object("value");
  check_index(*body);
  body->unsupported("ttl", "; items are kept until they are deleted");
  check_namespace(*body, place.ns);
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto done = co_await app::put_item(app.context, caller_of(request), std::move(place.ns),
                                           std::move(place.key), std::move(value));
  if (!done) co_return fail(done.error());
  co_return empty_response(204);
}

Answer get(app::App& app, net::Request& request) {
  std::vector<std::string> ns;
  for (const auto& part : Query(request).list("namespace"))
    for (auto& label : split(part)) ns.push_back(std::move(label));
  if (auto valid = app::check_namespace(ns); !valid) co_return fail(valid.error());
  if (auto reached = app::check_reach(caller_of(request), ns); !reached) co_return fail(reached.error());
  const auto key = request.query_value("key");
  if (!key) co_return fail(Error{Errc::invalid_argument, "key: is required", {{"key", "is required"}}});
  const auto item = co_await app.context.store.item(std::move(ns), std::string(*key));
  if (!item) co_return fail(item.error());
  co_return json_response(*item ? to_text(**item, write_item) : "null");
}

Answer remove(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto place = read_place(*body);
  check_namespace(*body, place.ns);
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto done = co_await app::put_item(app.context, caller_of(request), std::move(place.ns),
                                           std::move(place.key), "null");
  if (!done) co_return fail(done.error());
  co_return empty_response(204);
}

// An object with a `$` holds operators, and nothing else.
void check_filter(Body& body, const std::string& place, json::View wanted) {
  constexpr std::array operators = {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte"};
  for (const auto element : wanted.elements()) check_filter(body, place, element);
  const auto members = wanted.members();
  const bool compares = std::ranges::any_of(members, [](const auto& m) { return m.key.starts_with('$'); });
  for (const auto& [key, value] : members) {
    if (!compares) {
      check_filter(body, fmt::format("{}.{}", place, key), value);
    } else if (std::ranges::find(operators, key) == operators.end()) {
      body.wrong(place, "\"" + key + "\" is none of $eq, $ne, $gt, $gte, $lt, $lte");
    }
  }
}

Answer search(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  store::ItemSearch search;
  search.prefix = body->list("namespace_prefix");
  search.filter = body->object("filter");
  for (const auto& [name, wanted] : body->view()["filter"].members())
    check_filter(*body, "filter." + name, wanted);
  body->optional_text("query");
  search.limit = body->integer("limit", 10, 1, 1000);
  search.offset = body->integer("offset", 0, 0, INT64_MAX);
  if (auto status = body->status(); !status) co_return fail(status.error());
  Result<std::vector<store::Item>> items;
  if (app::confine(caller_of(request), search)) items = co_await app.context.store.items(std::move(search));
  if (!items) co_return fail(items.error());
  co_return json_response(json::Writer()
                              .begin_object()
                              .key("items")
                              .raw(list_text(*items, write_found_item))
                              .end_object()
                              .take());
}

Answer namespaces(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  store::NamespaceSearch search;
  search.prefix = body->list("prefix");
  search.suffix = body->list("suffix");
  search.max_depth = body->integer("max_depth", 0, 1, INT64_MAX);
  search.limit = body->integer("limit", 100, 1, 1000);
  search.offset = body->integer("offset", 0, 0, INT64_MAX);
  if (auto status = body->status(); !status) co_return fail(status.error());
  Result<std::vector<std::vector<std::string>>> found;
  if (app::confine(caller_of(request), search))
    found = co_await app.context.store.namespaces(std::move(search));
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
  route(router, app, net::Method::put, prefix + "/store/items", Needs::write, put);
  route(router, app, net::Method::get, prefix + "/store/items", Needs::read, get);
  route(router, app, net::Method::del, prefix + "/store/items", Needs::write, remove);
  route(router, app, net::Method::post, prefix + "/store/items/search", Needs::read, search);
  route(router, app, net::Method::post, prefix + "/store/namespaces", Needs::read, namespaces);
}

}  // namespace dg::api::langgraph
