// Creating a run: the decision against the thread's other runs, and the claim of a free slot, in one
// commit.
#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <iterator>
#include <optional>
#include <utility>

#include "app/assistants.hpp"
#include "app/changes.hpp"
#include "app/run_config.hpp"
#include "app/run_trace.hpp"
#include "app/runs.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "domain/multitask.hpp"

namespace dg::app {
namespace {

// The thread's row as it is to be after the run was created on it.
void bind_thread(store::Commit& commit, domain::Thread& thread, const domain::Assistant& assistant,
                 bool is_new) {
  const json::View metadata(thread.metadata);
  const bool bound = metadata["graph_id"].string() == assistant.content.graph_id &&
                     metadata["assistant_id"].string() == assistant.id &&
                     thread.config == assistant.content.config;
  if (!bound)
    append_thread(commit, thread,
                  domain::ThreadBound{assistant.content.graph_id, assistant.id, assistant.content.config});
  if (is_new || !bound) commit.changes.emplace_back(store::PutThread{thread});
}

// The fact that the order is accepted, with everything a worker needs to carry it out.
domain::RunCreated created_event(const Caller& caller, RunOrder order, const domain::Assistant& assistant,
                                 const domain::Thread& thread, const std::string& run_id, WallTime now,
                                 std::int64_t recursion_limit) {
  const auto& graph_id = assistant.content.graph_id;
  auto metadata = json::merge(json::View(assistant.content.metadata), json::View(order.metadata));
  domain::RunRequest request = std::move(order.request);
  request.config = merge_config(assistant, thread, request.config, metadata, order.checkpoint,
                                {run_id, thread.id, assistant.id, graph_id, caller}, recursion_limit);
  request.context = merge_context(assistant, request.context);
  return {thread.id,           assistant.id,      graph_id,    std::move(request),
          std::move(metadata), now + order.after, thread.owner};
}

// Runs of a thread take turns in the order of their ids, whichever instance made them.
std::string newest_of(const std::vector<domain::Run>& runs) {
  std::string newest;
  for (const auto& run : runs) newest = std::max(newest, run.id);
  return newest;
}

}  // namespace

Task<Result<domain::Assistant>> Runs::resolve(Caller caller, std::string reference) {
  auto assistant = co_await assistants_.get(caller, reference);
  if (!assistant) co_return assistant;
  const auto graph = co_await workers_.look_up(assistant->content.graph_id);
  if (!graph)
    co_return fail(Errc::not_found, "No assistant found for \"" + reference + "\": its graph \"" +
                                        assistant->content.graph_id +
                                        "\" is no longer here. Graphs here: " + workers_.graph_names() + ".");
  if (!graph->served && graph->error != "null") co_return fail(import_error(graph->graph_id, graph->error));
  co_return assistant;
}

// One attempt at creating a run, as it is gathered for its commit.
struct Runs::Creation {
  WallTime now{};
  store::Commit commit;
  domain::Run run;
  std::shared_ptr<WorkerSession> session;  // whose slot it takes at once; null: it waits
  std::vector<domain::Run> stopped;        // runs of the thread that it cancels
  std::vector<std::string> resumed;        // paused runs that it takes over from
  std::string request_id;
};

Task<Result<domain::Run>> Runs::create(Caller caller, RunOrder order) {
  if (!order.thread_id) {
    auto assistant = co_await resolve(caller, order.assistant);
    if (!assistant) co_return fail(assistant.error());
    order.thread_id = make_uuid7(context_.env);
    order.create_thread = true;
    co_return co_await until_decided(
        [&] { return try_create(caller, order, *assistant, store::ThreadNow{}); });
  }
  const auto turn = co_await lines_.enter(*order.thread_id);
  using boost::asio::experimental::awaitable_operators::operator&&;
  auto [assistant, thread] =
      co_await (resolve(caller, order.assistant) && context_.store.thread_now(*order.thread_id));
  if (!assistant) co_return fail(assistant.error());
  std::optional<Result<store::ThreadNow>> known = std::move(thread);
  co_return co_await until_decided(
      [&] { return try_create(caller, order, *assistant, std::exchange(known, std::nullopt)); });
}

Task<Result<std::vector<domain::Run>>> Runs::create_all(Caller caller, std::vector<RunOrder> orders) {
  const auto now = context_.env.clock.now();  // a commit has one time
  std::vector<Creation> creations;
  const auto refused = [&](Error error) -> Task<Error> {
    for (const auto& creation : creations) co_await give_back(creation, error);
    co_return error;
  };
  for (auto& order : orders) {
    auto assistant = co_await resolve(caller, order.assistant);
    if (!assistant) co_return fail(co_await refused(assistant.error()));
    order.thread_id = make_uuid7(context_.env);
    order.create_thread = true;
    auto creation = co_await prepare(caller, std::move(order), std::move(*assistant), {}, now);
    if (!creation) co_return fail(co_await refused(creation.error()));
    creations.push_back(std::move(*creation));
  }
  auto commit = commit_for(caller, now);
  for (auto& creation : creations) {
    std::ranges::move(creation.commit.conditions, std::back_inserter(commit.conditions));
    std::ranges::move(creation.commit.appends, std::back_inserter(commit.appends));
    std::ranges::move(creation.commit.changes, std::back_inserter(commit.changes));
  }
  const auto committed = co_await context_.store.commit(std::move(commit));
  if (!committed) co_return fail(co_await refused(committed.error()));
  auto has_checkpoints = committed->has_checkpoints.begin();
  std::vector<domain::Run> runs;
  runs.reserve(creations.size());
  for (auto& creation : creations) {
    created(creation, creation.session && *has_checkpoints++);
    runs.push_back(std::move(creation.run));
  }
  co_return runs;
}

Task<Status> Runs::check_fork(const RunOrder& order) {
  const json::View fork(order.checkpoint);
  if (!fork["checkpoint_id"].is_string()) co_return Status{};
  const auto id = fork["checkpoint_id"].string();
  const auto state = co_await context_.store.state(*order.thread_id, fork["checkpoint_ns"].string(), id);
  if (!state) co_return fail(state.error());
  if (!*state) co_return fail(Errc::not_found, "the thread has no checkpoint " + id);
  co_return Status{};
}

Status Runs::settle_others(Creation& creation, std::vector<domain::Run> others,
                           const domain::MultitaskPlan& plan) {
  creation.resumed = plan.resume;
  for (auto& other : others) {
    if (std::ranges::find(plan.resume, other.id) != plan.resume.end()) {
      append_run(creation.commit, other, *domain::decide_resumed_by(other, creation.run.id));
    } else if (std::ranges::find(plan.cancel, other.id) != plan.cancel.end()) {
      auto decided = domain::decide_cancel(other, plan.action);
      if (!decided) return fail(decided.error());
      const bool was_queued = other.state == domain::RunState::queued;
      const bool erase = was_queued && plan.action == domain::CancelAction::rollback;
      if (erase) decided->emplace_back(domain::RunDeleted{"rolled back by run " + creation.run.id});
      append_run(creation.commit, other, *decided, erase);
      creation.stopped.push_back(std::move(other));
    }
  }
  return {};
}

void Runs::add_run(Creation& creation, domain::RunCreated created, bool may_start) {
  auto& run = creation.run;
  std::vector<domain::RunEvent> events{std::move(created)};
  const auto queued = domain::evolve(run, events.front(), creation.now);
  if (may_start) creation.session = workers_.reserve(queued.graph_id);
  if (const auto& session = creation.session) {
    const auto started =
        domain::decide_start(queued, {session->id, session->name, session->revision, 0, 0}, creation.now);
    if (started) events.insert(events.end(), started->begin(), started->end());
  }
  append_run(creation.commit, run, events);
  if (const auto& session = creation.session) give_lease(creation.commit, *session, lease_of(run, *session));
  creation.commit.changes.emplace_back(
      store::AppendFrames{run.id, run.thread_id, {metadata_frame(run.id, 1)}});
}

Task<Result<domain::Run>> Runs::try_create(Caller caller, RunOrder order, domain::Assistant assistant,
                                           std::optional<Result<store::ThreadNow>> known) {
  const auto now = context_.env.clock.now();
  if (!known) known = co_await context_.store.thread_now(*order.thread_id);
  if (!*known) co_return fail(known->error());
  auto creation = co_await prepare(caller, std::move(order), std::move(assistant), std::move(**known), now);
  if (!creation) co_return fail(creation.error());
  auto committed = co_await context_.store.commit(std::move(creation->commit));
  if (!committed) {
    co_await give_back(*creation, committed.error());
    // Somebody took the thread in between; whether that matters is decided again.
    if (creation->session && committed.error().code == Errc::busy)
      co_return fail(Errc::conflict, committed.error().message);
    co_return fail(committed.error());
  }
  created(*creation, creation->session && committed->has_checkpoints.front());
  co_return std::move(creation->run);
}

Task<Result<Runs::Creation>> Runs::prepare(Caller caller, RunOrder order, domain::Assistant assistant,
                                           store::ThreadNow found, WallTime now) {
  // Another user's thread can be no run's, whether it is to be created or not.
  const bool hidden = found.thread && !caller.may_see(found.thread->owner);
  if (hidden || (!found.thread && !order.create_thread)) co_return unknown_thread(*order.thread_id);
  const bool operation = found.head.lease && found.head.lease->kind == store::LeaseKind::operation;
  const auto plan = domain::plan_multitask(order.request.multitask, found.open, operation);
  if (!plan) co_return fail(plan.error());
  if (auto possible = co_await check_fork(order); !possible) co_return fail(possible.error());

  Creation creation;
  creation.now = now;
  creation.commit = commit_for(caller, now);
  creation.request_id = caller.request_id;
  creation.run.id = make_uuid7_above(context_.env, newest_of(found.open));
  creation.run.thread_id = *order.thread_id;
  creation.commit.conditions.emplace_back(store::ThreadUnchanged{*order.thread_id, found.head.turn});
  domain::Thread thread = found.thread.value_or(domain::Thread{});
  thread.id = *order.thread_id;
  if (!found.thread)
    append_thread(creation.commit, thread,
                  domain::ThreadCreated{.temporary = order.request.temporary, .owner = caller.user});
  bind_thread(creation.commit, thread, assistant, !found.thread);

  const bool active =
      std::ranges::any_of(found.open, [](const domain::Run& r) { return domain::is_active(r.state); });
  const bool may_start = !active && !found.head.lease && order.after == Duration{};
  // The others come first, so that the newest run of the thread is the new one.
  if (auto settled = settle_others(creation, std::move(found.open), *plan); !settled)
    co_return fail(settled.error());
  add_run(creation,
          created_event(caller, std::move(order), assistant, thread, creation.run.id, creation.now,
                        context_.settings.recursion_limit),
          may_start);
  co_return creation;
}

Task<void> Runs::give_back(const Creation& creation, Error error) {
  if (!creation.session) co_return;
  co_await not_started(creation.session, std::move(error));
  // A run that was created meanwhile found no slot.
  context_.bus.publish(bus::Topic::queue, creation.run.graph_id);
}

void Runs::created(const Creation& creation, bool has_checkpoints) {
  meters_.created();
  const auto& run = creation.run;
  log::debug({{"run_id", run.id},
              {"thread_id", run.thread_id},
              {"request_id", creation.request_id},
              {"trace_id", trace_id_of(run)}},
             "accepted a run of {}", run.graph_id);
  if (const auto& session = creation.session) {
    meters_.started(creation.now, creation.now);
    workers_.own(session, creation.run);
    workers_.send(session->id, LeaseOffer{creation.run, has_checkpoints});
  }
  for (const auto& other : creation.stopped) {
    wake(other);
    if (other.state != domain::RunState::in_progress) continue;
    workers_.send(other.session_id, CancelOrder{other.id, other.epoch, other.cancel});
    spawn(context_.env.timers.executor(), "enforce_cancel", enforce_cancel(other.id, other.epoch));
  }
  for (const auto& id : creation.resumed) {
    meters_.ended(domain::RunState::completed);
    context_.bus.publish(bus::Topic::run, id);
  }
  wake(creation.run);
}

}  // namespace dg::app
