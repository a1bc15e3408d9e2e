// Requests about a run that exists.
#include "api/input.hpp"
#include "api/langgraph/routes.hpp"
#include "api/langgraph/run_stream.hpp"
#include "api/langgraph/shapes.hpp"
#include "api/route.hpp"

namespace dg::api::langgraph {
namespace {

using Answer = Task<Result<net::Response>>;

// How long one wait inside a request lasts before it begins again; the client's own limit ends it.
constexpr Duration wait_step = std::chrono::seconds(60);

// The run that the path names, if it is one of its thread.
Task<Result<domain::Run>> find_run(app::App& app, const net::Request& request) {
  auto thread_id = path_uuid(request, "thread_id");
  if (!thread_id) co_return fail(thread_id.error());
  auto run_id = path_uuid(request, "run_id");
  if (!run_id) co_return fail(run_id.error());
  co_return co_await app.runs.get(std::move(*run_id), std::move(*thread_id));
}

Answer get(app::App& app, net::Request& request) {
  const auto run = co_await find_run(app, request);
  if (!run) co_return fail(run.error());
  co_return json_response(to_text(*run, write_run));
}

Answer list(app::App& app, net::Request& request) {
  auto id = path_uuid(request, "thread_id");
  if (!id) co_return fail(id.error());
  if (const auto row = co_await app.threads.get(*id); !row) co_return fail(row.error());
  const auto limit = query_integer(request, "limit", 10, 1, 1000);
  if (!limit) co_return fail(limit.error());
  const auto offset = query_integer(request, "offset", 0, 0, INT64_MAX);
  if (!offset) co_return fail(offset.error());
  store::RunFilter filter;
  filter.thread_id = std::move(*id);
  if (const auto word = request.query_value("status"); word && !word->empty()) {
    filter.states = states_of(*word);
    if (filter.states.empty())
      co_return fail(
          Error{Errc::invalid_argument,
                "status: \"" + std::string(*word) + "\" is no status of a run",
                {{"status", "must be one of pending, running, success, error, interrupted, timeout"}}});
  }
  const auto runs = co_await app.runs.list(std::move(filter), {*limit, *offset});
  if (!runs) co_return fail(runs.error());
  co_return json_response(list_text(*runs, write_run, query_list(request, "select")));
}

Answer remove(app::App& app, net::Request& request) {
  const auto run = co_await find_run(app, request);
  if (!run) co_return fail(run.error());
  const auto done = co_await app.runs.remove(run->id);
  if (!done) co_return fail(done.error());
  co_return empty_response(204);
}

Answer join(app::App& app, net::Request& request) {
  const auto run = co_await find_run(app, request);
  if (!run) co_return fail(run.error());
  auto response = join_response(app, run->id, query_flag(request, "cancel_on_disconnect", false));
  add_locations(response, *run, path_of(*run), "/join");
  co_return response;
}

Answer attach(app::App& app, const net::Request& request, const domain::Run& run) {
  const auto from = frame_after(request.header("Last-Event-ID"));
  if (!from) co_return fail(from.error());
  auto response = stream_response(app, {run.id, *from, query_list(request, "stream_mode"),
                                        query_flag(request, "cancel_on_disconnect", false)});
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
  const auto run = co_await app.runs.get(std::move(*run_id));
  if (!run) co_return fail(run.error());
  co_return co_await attach(app, request, *run);
}

Result<domain::CancelAction> read_action(const net::Request& request) {
  const auto action = request.query_value("action").value_or("interrupt");
  if (action == "interrupt" || action.empty()) return domain::CancelAction::interrupt;
  if (action == "rollback") return domain::CancelAction::rollback;
  return fail(Error{Errc::invalid_argument,
                    "action: must be interrupt or rollback",
                    {{"action", "must be interrupt or rollback"}}});
}

Answer cancel(app::App& app, net::Request& request) {
  const auto action = read_action(request);
  if (!action) co_return fail(action.error());
  const auto run = co_await find_run(app, request);
  if (!run) co_return fail(run.error());
  const auto asked = co_await app.runs.cancel(run->id, *action);
  if (!asked) co_return fail(asked.error());
  const bool wait = query_flag(request, "wait", false);
  while (wait) {
    const auto over = co_await app.streams.wait_inactive(run->id, app.context.env.timers.now() + wait_step);
    if (over || over.error().code != Errc::timeout) break;
  }
  auto response = empty_response(wait ? 204 : 202);
  add_locations(response, *run, path_of(*run), "/join");
  co_return response;
}

Answer cancel_many(app::App& app, net::Request& request) {
  const auto action = read_action(request);
  if (!action) co_return fail(action.error());
  auto body = Body::read(request);
  if (!body) co_return fail(body.error());
  app::CancelFilter filter;
  filter.thread_id = body->uuid("thread_id");
  filter.run_ids = body->texts("run_ids");
  const auto status = body->choice("status", "", {"", "pending", "running", "all"});
  if (!status.empty() && (filter.thread_id || !filter.run_ids.empty()))
    body->wrong("status", "cannot be combined with thread_id and run_ids");
  if (status.empty() && !filter.thread_id && filter.run_ids.empty())
    body->wrong("status", "give a status, or thread_id and run_ids");
  if (auto valid = body->status(); !valid) co_return fail(valid.error());
  using State = domain::RunState;
  if (status != "running") filter.states.push_back(State::queued);
  if (status != "pending") filter.states.push_back(State::in_progress);
  const auto done = co_await app.runs.cancel_many(std::move(filter), *action);
  if (!done) co_return fail(done.error());
  co_return empty_response(204);
}

}  // namespace

void add_run_routes(net::Router& router, app::App& app, const std::string& prefix) {
  const std::string runs = prefix + "/threads/{thread_id}/runs";
  const std::string one = runs + "/{run_id}";
  route(router, app, net::Method::get, runs, list);
  route(router, app, net::Method::get, one, get);
  route(router, app, net::Method::del, one, remove);
  route(router, app, net::Method::get, one + "/join", join);
  route(router, app, net::Method::get, one + "/stream", join_stream);
  route(router, app, net::Method::post, one + "/cancel", cancel);
  route(router, app, net::Method::post, prefix + "/runs/cancel", cancel_many);
  route(router, app, net::Method::get, prefix + "/runs/{run_id}/stream", join_stream_by_id);
}

}  // namespace dg::api::langgraph
