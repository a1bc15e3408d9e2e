// Requests about a run that exists.
#include <algorithm>

#include "api/input.hpp"
#include "api/langgraph/common_input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/langgraph/run_stream.hpp"
#include "api/langgraph/shapes.hpp"
#include "api/route.hpp"

namespace dg::api::langgraph {
namespace {

using Answer = Task<Result<net::Response>>;

// How long one wait inside a request lasts before it begins again; the client's own limit ends it.
constexpr Duration wait_step = std::chrono::seconds(60);

constexpr std::initializer_list<std::string_view> run_fields = {
    "run_id", "thread_id", "assistant_id", "created_at",        "updated_at",
    "status", "metadata",  "kwargs",       "multitask_strategy"};

// The run that the path names, if it is one of its thread.
Task<Result<domain::Run>> find_run(app::App& app, const net::Request& request) {
  auto thread_id = path_uuid(request, "thread_id");
  if (!thread_id) co_return fail(thread_id.error());
  auto run_id = path_uuid(request, "run_id");
  if (!run_id) co_return fail(run_id.error());
  co_return co_await app.runs.get(caller_of(request), std::move(*run_id), std::move(*thread_id));
}

// A reader who cancels the run by leaving changes it.
Status check_cancels(const net::Request& request, bool cancels) {
  return cancels ? check_role(request, Needs::write) : Status{};
}

Answer get(app::App& app, net::Request& request) {
  const auto run = co_await find_run(app, request);
  if (!run) co_return fail(run.error());
  co_return json_response(to_text(*run, write_run));
}

Answer list(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  Query query(request);
  const auto page = read_page(query);
  const auto word =
      query.choice("status", "", {"pending", "running", "success", "error", "interrupted", "timeout"});
  const auto select = query.names("select", run_fields);
  if (auto status = query.status(); !status) co_return fail(status.error());
  if (const auto row = co_await app.threads.get(caller_of(request), *id); !row) co_return fail(row.error());
  const auto runs = co_await app.runs.list(caller_of(request), {std::move(*id), states_of(word), {}}, page);
  if (!runs) co_return fail(runs.error());
  co_return json_response(list_text(*runs, write_run, select));
}

Answer remove(app::App& app, net::Request& request) {
  const auto run = co_await find_run(app, request);
  if (!run) co_return fail(run.error());
  if (domain::is_active(run->state))
    co_return fail(Errc::busy,
                   "the run is " + std::string(status_word(run->state)) + "; cancel it before deleting it");
  const auto done = co_await app.runs.remove(caller_of(request), run->id);
  if (!done) co_return fail(done.error());
  co_return empty_response(204);
}

Answer join(app::App& app, net::Request& request) {
  Query query(request);
  const bool cancels = query.flag("cancel_on_disconnect", false);
  if (auto status = query.status(); !status) co_return fail(status.error());
  if (auto may = check_cancels(request, cancels); !may) co_return fail(may.error());
  const auto run = co_await find_run(app, request);
  if (!run) co_return fail(run.error());
  auto response = join_response(app, run->id, cancels);
  add_locations(response, *run, path_of(*run), "/join");
  co_return response;
}

Answer attach(app::App& app, const net::Request& request, const domain::Run& run) {
  Query query(request);
  StreamOrder order{run.id, 0, query.names("stream_mode", stream_modes),
                    query.flag("cancel_on_disconnect", false)};
  if (auto status = query.status(); !status) co_return fail(status.error());
  if (auto may = check_cancels(request, order.cancel_on_disconnect); !may) co_return fail(may.error());
  const auto from = frame_after(request.header("Last-Event-ID"));
  if (!from) co_return fail(from.error());
  order.from = *from;
  if (auto exists = co_await check_place(app, run, *from); !exists) co_return fail(exists.error());
  auto response = stream_response(app, std::move(order));
  add_locations(response, run, path_of(run), "/stream");
  co_return response;
}

Answer join_stream(app::App& app, net::Request& request) {
  const auto run = co_await find_run(app, request);
  if (!run) co_return fail(run.error());
  co_return co_await attach(app, request, *run);
}

Answer join_stream_by_id(app::App& app, net::Request& request) {
  auto run_id = path_uuid(request, "run_id");
  if (!run_id) co_return fail(run_id.error());
  const auto run = co_await app.runs.get(caller_of(request), std::move(*run_id));
  if (!run) co_return fail(run.error());
  co_return co_await attach(app, request, *run);
}

domain::CancelAction read_action(Query& query) {
  const auto action = query.choice("action", "interrupt", {"interrupt", "rollback"});
  return action == "rollback" ? domain::CancelAction::rollback : domain::CancelAction::interrupt;
}

Answer cancel(app::App& app, net::Request& request) {
  Query query(request);
  const auto action = read_action(query);
  const bool wait = query.flag("wait", false);
  if (auto status = query.status(); !status) co_return fail(status.error());
  const auto run = co_await find_run(app, request);
  if (!run) co_return fail(run.error());
  const auto asked = co_await app.runs.cancel(caller_of(request), run->id, action);
  if (!asked) co_return fail(asked.error());
  while (wait) {
    const auto over = co_await app.streams.wait_inactive(run->id, app.context.env.timers.now() + wait_step);
    if (over || over.error().code == Errc::not_found) break;
    if (over.error().code != Errc::timeout) co_return fail(over.error());
  }
  auto response = empty_response(wait ? 204 : 202);
  add_locations(response, *run, path_of(*run), "/join");
  co_return response;
}

// The runs of one thread, or those with a status.
app::CancelFilter read_cancelled(Body& body) {
  app::CancelFilter filter;
  filter.thread_id = body.uuid("thread_id");
  filter.run_ids = body.uuids("run_ids");
  const auto status = body.choice("status", "all", {"pending", "running", "all"});
  const bool by_status = !body.view()["status"].is_null();
  const bool by_thread = !body.view()["thread_id"].is_null();
  const bool by_ids = !body.view()["run_ids"].is_null();
  if (by_status && (by_thread || by_ids)) {
    body.wrong("status", "cannot be combined with thread_id and run_ids");
  } else if (by_ids && !by_thread) {
    body.wrong("thread_id", "is required where run_ids are given");
  } else if (!by_status && !by_thread) {
    body.wrong("status", "give a status, or thread_id and run_ids");
  }
  using State = domain::RunState;
  if (status != "running") filter.states.push_back(State::queued);
  if (status != "pending") filter.states.push_back(State::in_progress);
  return filter;
}

// not_found where the thread or one of its runs does not exist.
Task<Status> check_cancelled(app::App& app, const net::Request& request, const app::CancelFilter& filter) {
  if (!filter.thread_id) co_return Status{};
  if (const auto row = co_await app.threads.get(caller_of(request), *filter.thread_id); !row)
    co_return fail(row.error());
  if (filter.run_ids.empty()) co_return Status{};
  const auto most = static_cast<std::int64_t>(filter.run_ids.size());
  const auto runs =
      co_await app.runs.list(caller_of(request), {*filter.thread_id, {}, filter.run_ids}, {most, 0});
  if (!runs) co_return fail(runs.error());
  for (const auto& id : filter.run_ids)
    if (std::ranges::find(*runs, id, &domain::Run::id) == runs->end())
      co_return fail(Errc::not_found, "Run not found: " + id);
  co_return Status{};
}

Answer cancel_many(app::App& app, net::Request& request) {
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  Query query(request);
  const auto action = read_action(query);
  auto filter = read_cancelled(*body);
  body->take_errors(query);
  if (auto valid = body->status(); !valid) co_return fail(valid.error());
  if (auto found = co_await check_cancelled(app, request, filter); !found) co_return fail(found.error());
  const bool none = body->view()["run_ids"].is_array() && filter.run_ids.empty();
  if (!none) {
    const auto done = co_await app.runs.cancel_many(caller_of(request), std::move(filter), action);
    if (!done) co_return fail(done.error());
  }
  co_return empty_response(204);
}

}  // namespace

void add_run_routes(net::Router& router, app::App& app, const std::string& prefix) {
  const std::string runs = prefix + "/threads/{thread_id}/runs";
  const std::string one = runs + "/{run_id}";
  route(router, app, net::Method::get, runs, Needs::read, list);
  route(router, app, net::Method::get, one, Needs::read, get);
  route(router, app, net::Method::del, one, Needs::write, remove);
  route(router, app, net::Method::get, one + "/join", Needs::read, join);
  route(router, app, net::Method::get, one + "/stream", Needs::read, join_stream);
  route(router, app, net::Method::post, one + "/cancel", Needs::write, cancel);
  route(router, app, net::Method::post, prefix + "/runs/cancel", Needs::write, cancel_many);
  route(router, app, net::Method::get, prefix + "/runs/{run_id}/stream", Needs::read, join_stream_by_id);
}

}  // namespace dg::api::langgraph
