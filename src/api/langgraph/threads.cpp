#include "api/input.hpp"
#include "api/langgraph/common_input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/langgraph/shapes.hpp"
#include "api/route.hpp"

namespace dg::api::langgraph {
namespace {

using Answer = Task<Result<net::Response>>;

net::Response thread_response(const store::ThreadRow& row) {
  return json_response(to_text(row, write_thread));
}

Answer create(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto id = body->uuid("thread_id");
  auto metadata = body->object("metadata");
  const bool keep = body->choice("if_exists", "raise", {"raise", "do_nothing"}) == "do_nothing";
  body->unsupported("ttl", "; threads are kept until they are deleted");
  body->unsupported("supersteps", "; update the thread's state instead");
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto row = co_await app.threads.create(caller_of(request), std::move(id), std::move(metadata), keep);
  if (!row) co_return fail(row.error());
  co_return thread_response(*row);
}

store::ThreadFilter read_filter(Body& body) {
  store::ThreadFilter filter;
  filter.ids = body.uuids("ids");
  filter.metadata = body.object("metadata");
  filter.values = body.object("values");
  const auto status = body.choice("status", "", {"", "idle", "busy", "interrupted", "error"});
  if (!status.empty()) filter.status = domain::thread_status_from(status);
  filter.sort_by = body.choice("sort_by", "updated_at",
                               {"thread_id", "status", "created_at", "updated_at", "state_updated_at"});
  filter.descending = body.choice("sort_order", "desc", {"asc", "desc"}) == "desc";
  body.unsupported("extract", "; read the thread's values instead");
  return filter;
}

// An empty list of ids names no thread, where none at all allows any.
Task<Result<store::Found<store::ThreadRow>>> find(app::App& app, const net::Request& request,
                                                  const Body& body, store::ThreadFilter filter,
                                                  store::Page page) {
  if (body.view()["ids"].is_array() && filter.ids.empty()) co_return store::Found<store::ThreadRow>{};
  co_return co_await app.threads.search(caller_of(request), std::move(filter), page);
}

Answer search(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto filter = read_filter(*body);
  const auto page = read_page(*body);
  body->unsupported("select", "; whole threads are given");
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto found = co_await find(app, request, *body, std::move(filter), page);
  if (!found) co_return fail(found.error());
  auto response = json_response(list_text(found->rows, write_thread));
  add_pagination(response, page, found->rows.size(), found->total);
  co_return response;
}

Answer count(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto filter = read_filter(*body);
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto found = co_await find(app, request, *body, std::move(filter), {1, 0});
  if (!found) co_return fail(found.error());
  co_return json_response(std::to_string(found->total));
}

Answer get(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  const auto row = co_await app.threads.get(caller_of(request), std::move(*id));
  if (!row) co_return fail(row.error());
  co_return thread_response(*row);
}

Answer patch(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  auto metadata = body->object("metadata");
  body->unsupported("ttl", "; threads are kept until they are deleted");
  if (auto status = body->status(); !status) co_return fail(status.error());
  const auto row = co_await app.threads.patch(caller_of(request), std::move(*id), std::move(metadata));
  if (!row) co_return fail(row.error());
  if (request.header("Prefer").value_or("").find("return=minimal") != std::string_view::npos)
    co_return empty_response(204);
  co_return thread_response(*row);
}

Answer remove(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  const auto done = co_await app.threads.remove(caller_of(request), std::move(*id));
  if (!done) co_return fail(done.error());
  co_return empty_response(204);
}

Answer copy(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  const auto row = co_await app.threads.copy(caller_of(request), std::move(*id));
  if (!row) co_return fail(row.error());
  co_return thread_response(*row);
}

}  // namespace

void add_thread_routes(net::Router& router, app::App& app, const std::string& prefix) {
  const std::string one = prefix + "/threads/{thread_id}";
  route(router, app, net::Method::post, prefix + "/threads", Needs::write, create);
  route(router, app, net::Method::post, prefix + "/threads/search", Needs::read, search);
  route(router, app, net::Method::post, prefix + "/threads/count", Needs::read, count);
  route(router, app, net::Method::get, one, Needs::read, get);
  route(router, app, net::Method::patch, one, Needs::write, patch);
  route(router, app, net::Method::patch, one + "/state", Needs::write, patch);  // the older way
  route(router, app, net::Method::del, one, Needs::write, remove);
  route(router, app, net::Method::post, one + "/copy", Needs::write, copy);
}

}  // namespace dg::api::langgraph
