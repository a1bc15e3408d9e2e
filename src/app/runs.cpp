#include "app/runs.hpp"

#include "app/changes.hpp"
#include "base/json.hpp"
#include "base/log.hpp"

namespace dg::app {
namespace {

// `values` with __interrupt__ in it; what is no object cannot hold it.
std::string with_interrupts(std::string values, const std::string& interrupts) {
  const json::View view(values);
  if (!view.is_object() && !view.is_null()) return values;
  const auto patch = json::Writer().begin_object().key("__interrupt__").raw(interrupts).end_object().take();
  return json::merge(view, json::View(patch));
}

}  // namespace

Runs::Runs(Context& context, Workers& workers, Assistants& assistants, Streams& streams, Metrics& metrics)
    : context_(context),
      workers_(workers),
      assistants_(assistants),
      streams_(streams),
      meters_(metrics),
      lines_(context.env.timers),
      queue_(context.env.timers) {
  queue_wakes_ =
      context_.bus.subscribe(bus::Topic::queue, "", [this](const std::string&, const std::string&) {
        ++queue_changes_;
        queue_.notify_all();
      });
}

void Runs::wake(const domain::Run& run) {
  if (domain::is_terminal(run.state)) meters_.ended(run);
  context_.bus.publish(bus::Topic::run, run.id);
  context_.bus.publish(bus::Topic::queue, run.graph_id);
}

Task<Result<domain::Run>> Runs::get(Caller caller, std::string run_id, std::optional<std::string> thread_id) {
  auto run = co_await context_.store.run(run_id);
  if (!run) co_return fail(run.error());
  if (!*run || (thread_id && (*run)->thread_id != *thread_id) || !caller.may_see((*run)->owner))
    co_return fail(Errc::not_found, "Run not found");
  co_return std::move(**run);
}

Task<Result<std::vector<domain::Run>>> Runs::list(Caller caller, store::RunFilter filter, store::Page page) {
  filter.owner = caller.only_owner();
  co_return co_await context_.store.runs(std::move(filter), page);
}

Task<Result<domain::Run>> Runs::cancel(Caller caller, std::string run_id, domain::CancelAction action) {
  co_return co_await until_decided([&] { return try_cancel(caller, run_id, action); });
}

Task<Result<domain::Run>> Runs::try_cancel(Caller caller, std::string run_id, domain::CancelAction action) {
  auto found = co_await get(caller, run_id);
  if (!found) co_return fail(found.error());
  auto run = std::move(*found);
  auto events = domain::decide_cancel(run, action);
  if (!events) co_return fail(events.error());
  if (events->empty()) co_return run;
  const bool running = run.state == domain::RunState::in_progress;
  if (!running) {
    if (action == domain::CancelAction::rollback) events->emplace_back(domain::RunDeleted{"rolled back"});
    const auto done = co_await end_with(run, *events, std::nullopt, {}, caller);
    if (!done) co_return fail(done.error());
    run.state = domain::RunState::cancelled;
    co_return run;
  }
  co_return co_await ask_to_stop(caller, std::move(run), std::move(*events));
}

Task<Result<domain::Run>> Runs::ask_to_stop(Caller caller, domain::Run run,
                                            std::vector<domain::RunEvent> events) {
  auto commit = commit_for(caller, context_.env.clock.now());
  append_run(commit, run, events);
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  workers_.send(run.session_id, CancelOrder{run.id, run.epoch, run.cancel});
  spawn(context_.env.timers.executor(), "enforce_cancel", enforce_cancel(run.id, run.epoch));
  wake(run);
  co_return run;
}

Task<Result<std::int64_t>> Runs::cancel_many(Caller caller, CancelFilter filter,
                                             domain::CancelAction action) {
  // All are found before the first is cancelled: a cancelled run no longer matches, and would shift the
  // pages.
  std::vector<std::string> ids;
  for (store::Page page{1000, 0};; page.offset += page.limit) {
    const auto runs =
        co_await list(caller, {filter.thread_id.value_or(""), filter.states, filter.run_ids}, page);
    if (!runs) co_return fail(runs.error());
    for (const auto& run : *runs)
      if (domain::is_active(run.state)) ids.push_back(run.id);
    if (runs->size() < static_cast<std::size_t>(page.limit)) break;
  }
  std::int64_t count = 0;
  for (const auto& id : ids) {
    const auto done = co_await cancel(caller, id, action);
    if (!done && done.error().code != Errc::not_found) co_return fail(done.error());
    ++count;
  }
  co_return count;
}

Task<Status> Runs::remove(Caller caller, std::string run_id) {
  co_return co_await until_decided([&] { return try_remove(caller, run_id); });
}

Task<Status> Runs::try_remove(Caller caller, std::string run_id) {
  auto run = co_await get(caller, run_id);
  if (!run) co_return fail(run.error());
  const auto events = domain::decide_delete(*run, "deleted by a client");
  if (!events) co_return fail(events.error());
  const auto thread = co_await context_.store.thread_now(run->thread_id);
  if (!thread) co_return fail(thread.error());
  // What is executed goes on from the thread's checkpoints, and its first writes belong to one of them.
  for (const auto& other : thread->open)
    if (other.state == domain::RunState::in_progress)
      co_return fail(Errc::busy,
                     "the run " + other.id +
                         " may go on from this run's checkpoints; delete this one when that is over");
  auto commit = commit_for(caller, context_.env.clock.now());
  commit.conditions.emplace_back(store::ThreadUnchanged{run->thread_id, thread->head.turn});
  append_run(commit, *run, *events, true);
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  context_.bus.publish(bus::Topic::run, run_id);
  co_return Status{};
}

Task<Result<std::string>> Runs::join(std::string run_id, SteadyTime deadline) {
  auto run = co_await streams_.wait_inactive(run_id, deadline);
  if (!run) co_return fail(run.error());
  co_return co_await result_of(std::move(*run));
}

Task<Result<std::string>> Runs::result_of(domain::Run run) {
  if (run.error) {
    co_return json::Writer().begin_object().key("__error__").raw(frame_json(*run.error)).end_object().take();
  }
  const auto row = co_await context_.store.thread(run.thread_id);
  if (!row) co_return fail(row.error());
  std::optional<store::CheckpointState> head;
  if (*row) head = (*row)->head;
  std::string values = head ? std::string(json::View(head->projection)["values"].raw()) : "null";
  const auto frame = co_await context_.store.last_frame(run.id, "values");
  if (!frame) co_return fail(frame.error());
  if (*frame) {
    // The library tells of an interrupt in a frame of its own, without the values.
    const auto members = json::View((*frame)->data).members();
    const bool only_interrupts = members.size() == 1 && members.front().key == "__interrupt__";
    if (!only_interrupts) values = (*frame)->data;
  }
  if (run.state == domain::RunState::requires_action) {
    // Each task that asks has a frame of its own.
    const auto interrupts = interrupts_of(head);
    if (interrupts != "[]") values = with_interrupts(std::move(values), interrupts);
  }
  co_return values;
}

}  // namespace dg::app
