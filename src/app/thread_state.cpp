// The state of threads: read from stored projections; changed by a worker, under a lease.
#include "app/changes.hpp"
#include "app/run_config.hpp"
#include "app/threads.hpp"
#include "base/json.hpp"

namespace dg::app {
namespace {

// The configuration that addresses a checkpoint, as graph libraries read it.
std::string address_config(const Caller& caller, const StateAddress& address,
                           const std::string& checkpoint_map, const std::string& base) {
  json::Writer place;
  place.begin_object().key("thread_id").string(address.thread_id).key("checkpoint_ns").string(address.ns);
  if (!address.checkpoint_id.empty()) place.key("checkpoint_id").string(address.checkpoint_id);
  if (json::View(checkpoint_map).is_object()) place.key("checkpoint_map").raw(checkpoint_map);
  place.end_object();
  return config_for(caller, json::View(base), json::View(place.text()));
}

Result<std::string> graph_of(const store::ThreadRow& row) {
  auto graph = json::View(row.thread.metadata)["graph_id"].string();
  if (graph.empty())
    return fail(Errc::bad_request, "Thread " + row.thread.id +
                                       " has no graph ID; a run on it, or metadata.graph_id, gives it one");
  return graph;
}

}  // namespace

Task<Result<std::optional<store::CheckpointState>>> Threads::state(Caller caller, StateAddress address) {
  if (auto row = co_await get(caller, address.thread_id); !row) co_return fail(row.error());
  auto state = co_await context_.store.state(address.thread_id, address.ns, address.checkpoint_id);
  if (state && !*state && !address.checkpoint_id.empty())
    co_return fail(Errc::not_found, "the thread has no checkpoint " + address.checkpoint_id);
  co_return state;
}

Task<Result<std::string>> Threads::worker_state(Caller caller, StateAddress address,
                                                std::string checkpoint_map, bool subgraphs) {
  const auto row = co_await get(caller, address.thread_id);
  if (!row) co_return fail(row.error());
  const auto graph = graph_of(*row);
  if (!graph) co_return fail(graph.error());
  const auto params = json::Writer()
                          .begin_object()
                          .key("thread_id")
                          .string(address.thread_id)
                          .key("graph_id")
                          .string(*graph)
                          .key("config")
                          .raw(address_config(caller, address, checkpoint_map, row->thread.config))
                          .key("subgraphs")
                          .boolean(subgraphs)
                          .end_object()
                          .take();
  co_return co_await workers_.request(*graph, "get_state", params,
                                      context_.env.timers.now() + context_.settings.worker_wait);
}

Task<Result<std::vector<store::CheckpointState>>> Threads::history(Caller caller, HistoryQuery query) {
  if (auto row = co_await get(caller, query.thread_id); !row) co_return fail(row.error());
  store::CheckpointFilter filter;
  filter.thread_id = query.thread_id;
  filter.ns = query.ns;
  filter.checkpoint_id = query.checkpoint_id;
  filter.before = query.before;
  filter.metadata = query.metadata;
  filter.limit = query.limit;
  co_return co_await context_.store.states(std::move(filter));
}

Task<Result<store::Lease>> Threads::begin(std::string thread_id, std::string session_id) {
  const auto session = workers_.session(session_id);
  if (!session) co_return fail(Errc::superseded, "the session has ended");
  const auto runs = co_await context_.store.open_runs(thread_id);
  if (!runs) co_return fail(runs.error());
  for (const auto& run : *runs)
    if (domain::is_active(run.state)) co_return fail(Errc::busy, "Thread is busy with the run " + run.id);
  const store::Lease lease{
      make_uuid7(context_.env), store::LeaseKind::operation, thread_id, 1, session_id, 0};
  store::Commit commit;
  give_lease(commit, *session, lease);
  const auto done = co_await context_.store.commit(std::move(commit));
  // Where it is not known whether it happened, the lease may be there.
  if (done || done.error().code == Errc::unavailable || done.error().code == Errc::timeout)
    spawn(context_.env.timers.executor(), "expire", expire(lease.owner));
  if (!done && done.error().code == Errc::conflict) co_await workers_.check(session_id);
  if (!done && done.error().code == Errc::busy) co_return fail(Errc::busy, "Thread is busy");
  if (!done) co_return fail(done.error());
  co_return lease;
}

// Takes the thread for a worker that serves the graph. conflict where the worker has moved meanwhile.
Task<Result<Threads::Operation>> Threads::begin_on(std::string graph_id, std::string thread_id) {
  const auto deadline = context_.env.timers.now() + context_.settings.worker_wait;
  const auto session = co_await workers_.find(graph_id, deadline);
  if (!session) co_return fail(session.error());
  auto lease = co_await begin(thread_id, (*session)->id);
  if (!lease) co_return fail(lease.error());
  co_return Operation{*session, std::move(*lease)};
}

Task<Status> Threads::recover() {
  const auto leases = co_await context_.store.leases();
  if (!leases) co_return fail(leases.error());
  for (const auto& lease : *leases)
    if (lease.kind == store::LeaseKind::operation && !expiring_.contains(lease.owner))
      spawn(context_.env.timers.executor(), "expire", expire(lease.owner));
  co_return Status{};
}

Task<void> Threads::expire(std::string operation) {
  expiring_.insert(operation);
  co_await sleep_for(context_.env.timers, context_.settings.operation);
  while (true) {
    const auto lease = co_await context_.store.lease(operation);
    if (lease && (!*lease || co_await end(operation))) break;
    co_await sleep_for(context_.env.timers, retry_pause);
  }
  expiring_.erase(operation);
}

Task<Status> Threads::end(std::string operation) {
  store::Commit commit;
  commit.changes.emplace_back(store::DropLease{operation});
  const auto done = co_await context_.store.commit(std::move(commit));
  context_.bus.publish(bus::Topic::queue, "");
  if (!done) co_return fail(done.error());
  co_return Status{};
}

Task<Result<std::string>> Threads::try_update(const Update& update, bool& may_go_on) {
  may_go_on = true;
  auto taken = co_await until_decided([&] { return begin_on(update.graph_id, update.thread_id); });
  if (!taken) co_return fail(taken.error());
  auto& [session, lease] = *taken;
  json::Writer params;
  params.begin_object().key("operation").string(lease.owner).key("epoch").integer(lease.epoch);
  params.key("thread_id").string(update.thread_id).key("graph_id").string(update.graph_id);
  params.key("config").raw(update.config).key("values").raw(update.values);
  params.key("as_node").optional_string(update.as_node).end_object();
  auto result = co_await workers_.request_of(session, "update_state", params.take(),
                                             context_.env.timers.now() + context_.settings.operation);
  may_go_on = !co_await end(lease.owner);
  co_return result;
}

// Without its lease a worker that went away applies nothing any more, so what is not there by now never is.
Task<bool> Threads::is_unchanged(const StateAddress& newest) {
  const auto state = co_await context_.store.state(newest.thread_id, newest.ns, "");
  co_return state && (*state ? (*state)->key.checkpoint_id : "") == newest.checkpoint_id;
}

Task<Result<std::string>> Threads::update_state(Caller caller, std::string thread_id, StateUpdate update) {
  const auto row = co_await get(caller, thread_id);
  if (!row) co_return fail(row.error());
  const auto graph = graph_of(*row);
  if (!graph) co_return fail(graph.error());
  const StateAddress base{thread_id, update.checkpoint_ns, update.checkpoint_id};
  const auto found = co_await state(caller, base);
  if (!found) co_return fail(found.error());
  const auto newest =
      base.checkpoint_id.empty() ? found : co_await context_.store.state(thread_id, base.ns, "");
  if (!newest) co_return fail(newest.error());

  const StateAddress before{thread_id, base.ns, *newest ? (*newest)->key.checkpoint_id : ""};
  const Update wanted{*graph, thread_id,
                      address_config(caller, base, update.checkpoint_map, row->thread.config),
                      std::move(update.values), std::move(update.as_node)};
  const auto give_up = context_.env.timers.now() + context_.settings.operation;
  while (true) {
    bool may_go_on = false;
    auto result = co_await try_update(wanted, may_go_on);
    const bool is_open = !result && result.error().code == Errc::timeout;
    if (!is_open || may_go_on || context_.env.timers.now() >= give_up) co_return result;
    if (!co_await is_unchanged(before)) co_return result;
  }
}

}  // namespace dg::app
