// Giving queued runs to free slots, and clearing away what nobody needs any more.
#include <algorithm>

#include "app/changes.hpp"
#include "app/run_trace.hpp"
#include "app/runs.hpp"
#include "base/json.hpp"
#include "base/log.hpp"

namespace dg::app {
namespace {

// Adds the end of a temporary thread, where it still exists. busy while a run or an operation is on it.
Task<Status> add_thread_end(Context& context, store::Commit& commit, std::string thread_id) {
  const auto head = co_await context.store.thread_head(thread_id);
  if (!head) co_return fail(head.error());
  auto row = co_await context.store.thread(thread_id);
  if (!row) co_return fail(row.error());
  if (!*row) co_return Status{};
  if ((*row)->status == domain::ThreadStatus::busy)
    co_return fail(Errc::busy, "the thread " + thread_id + " is in use");
  commit.conditions.emplace_back(store::ThreadUnchanged{thread_id, head->turn});
  append_thread(commit, (*row)->thread, domain::ThreadDeleted{});
  commit.changes.emplace_back(store::EraseThread{thread_id});
  co_return Status{};
}

}  // namespace

Task<void> Runs::dispatch() {
  bool swept = false;  // nobody had woken it
  while (true) {
    const auto seen = queue_changes_;
    const auto looked_at = context_.env.clock.now();
    const auto started = co_await dispatch_once();
    if (!started) log::error("queued runs could not be given out: {}", started.error().message);
    if (swept && started) meters_.caught(*started);
    swept = false;
    if (queue_changes_ != seen) continue;
    // A run that becomes due wakes nobody, so the wait ends when the next one does: at once for one that
    // became due since the look.
    const auto sweep = context_.env.timers.now() + context_.settings.safety_net;
    auto deadline = sweep;
    const auto due = co_await context_.store.next_due(looked_at);
    if (due && *due) {
      const Duration left = **due - context_.env.clock.now();
      deadline = std::min(deadline, context_.env.timers.now() + std::max(left, Duration{}));
    }
    // A database that failed may work again soon.
    if (!started || !due) deadline = std::min(deadline, context_.env.timers.now() + retry_pause);
    if (queue_changes_ == seen) swept = !co_await queue_.wait_until(deadline) && deadline == sweep;
  }
}

// Runs that are being started at the same time: their commits share a transaction.
struct Runs::Starting {
  explicit Starting(Timers& timers) : changed(timers) {}
  int left = 0;
  int started = 0;
  std::optional<Error> error;
  Signal changed;
};

Task<Result<int>> Runs::dispatch_once() {
  int all_started = 0;
  while (true) {
    auto graphs = workers_.graphs_with_free_slots();
    if (graphs.empty()) co_return all_started;
    const auto limit = std::min<std::int64_t>(workers_.free_slots(), 256);
    auto claimable =
        co_await context_.store.claimable_runs(std::move(graphs), context_.env.clock.now(), limit);
    if (!claimable) co_return fail(claimable.error());
    const auto starting = std::make_shared<Starting>(context_.env.timers);
    for (auto& run : claimable->runs) {
      auto session = workers_.reserve(run.graph_id);
      if (!session) continue;
      ++starting->left;
      spawn(context_.env.timers.executor(), "start", start_one(std::move(run), std::move(session), starting));
    }
    while (starting->left > 0) co_await starting->changed.wait();
    if (claimable->release) co_await claimable->release();
    // Other instances did not see these runs meanwhile, and may have looked for more, or for one that was not
    // started here, as when its worker has moved to them.
    const auto seen = std::ssize(claimable->runs);
    if (seen == limit || starting->started < seen) context_.bus.send(bus::Topic::queue, "", "more");
    if (starting->error) co_return fail(*starting->error);
    all_started += starting->started;
    if (starting->started == 0) co_return all_started;
  }
}

Task<void> Runs::start_one(domain::Run run, std::shared_ptr<WorkerSession> session,
                           std::shared_ptr<Starting> starting) {
  const auto done = co_await start(std::move(run), std::move(session));
  if (done) ++starting->started;
  // Somebody else was first with the run or its thread: not an error.
  const bool lost = !done && (done.error().code == Errc::conflict || done.error().code == Errc::busy);
  if (!done && !lost) starting->error = done.error();
  --starting->left;
  starting->changed.notify_all();
}

Task<Status> Runs::start(domain::Run run, std::shared_ptr<WorkerSession> session) {
  const auto now = context_.env.clock.now();
  const auto events = domain::decide_start(run, {session->id, session->name, session->revision, 0, 0}, now);
  if (!events) {
    workers_.release(session);
    co_return fail(events.error());
  }
  const auto due = std::max(run.updated_at, run.not_before);
  store::Commit commit{.at = now};
  append_run(commit, run, *events);
  give_lease(commit, *session, lease_of(run, *session));
  // The first attempt's frame came with the creation; a further one tells readers that the partial
  // output of the last is void.
  std::vector<store::Frame> frames;
  if (run.attempt > 1) {
    frames.push_back(metadata_frame(run.id, run.attempt));
    commit.changes.emplace_back(store::AppendFrames{run.id, run.thread_id, frames});
  }
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) {
    co_await not_started(session, done.error());
    co_return fail(done.error());
  }
  meters_.started(due, now);
  log::debug({{"run_id", run.id}, {"thread_id", run.thread_id}, {"trace_id", trace_id_of(run)}},
             "attempt {} begins on {}", run.attempt, session->name);
  if (!frames.empty()) streams_.publish(run.id, done->first_frames.front(), frames);
  workers_.own(session, run);
  workers_.send(session->id, LeaseOffer{run, done->has_checkpoints.front()});
  context_.bus.publish(bus::Topic::run, run.id);
  co_return Status{};
}

Task<void> Runs::not_started(std::shared_ptr<WorkerSession> session, Error error) {
  workers_.release(session);
  if (error.code == Errc::conflict) {
    co_await workers_.check(session->id);
  } else if (error.code != Errc::busy) {
    workers_.doubt(session->id);
  }
}

Task<Status> Runs::recover() {
  const auto runs = co_await context_.store.stopping_runs();
  if (!runs) co_return fail(runs.error());
  for (const auto& run : *runs)
    if (!stopping_.contains(run.id))
      spawn(context_.env.timers.executor(), "enforce_cancel", enforce_cancel(run.id, run.epoch));
  co_return Status{};
}

Task<void> Runs::retain(Leadership& leadership) {
  while (true) {
    co_await leadership.wait_until_leading();
    const auto done = co_await retain_once();
    if (done) {
      meters_.swept(context_.env.clock.now());
    } else {
      meters_.sweep_failed();
      log::error("old frames could not be deleted: {}", done.error().message);
    }
    co_await sleep_for(context_.env.timers,
                       std::min<Duration>(context_.settings.frames_kept, std::chrono::seconds(10)));
  }
}

Task<Status> Runs::retain_once() {
  constexpr std::int64_t at_once = 200;
  for (const bool resumable : {false, true}) {
    const auto kept = resumable ? context_.settings.resumable_frames_kept : context_.settings.frames_kept;
    const auto ended_before = context_.env.clock.now() - kept;
    while (true) {
      const auto began = context_.env.timers.now();
      const auto ids = co_await context_.store.runs_with_frames(ended_before, resumable, at_once);
      if (!ids) co_return fail(ids.error());
      const auto left = co_await erase_frames(*ids);
      if (!left) co_return fail(left.error());
      if (std::ssize(*ids) < at_once || *left == std::ssize(*ids)) break;
      // After an outage there is much to erase, which leaves half the time to what somebody waits for.
      co_await sleep_for(context_.env.timers, context_.env.timers.now() - began);
    }
  }
  co_return Status{};
}

// Erases what these runs need not keep any more; gives how many have to be looked at again.
Task<Result<std::int64_t>> Runs::erase_frames(std::vector<std::string> ids) {
  const auto runs = co_await list(the_server, {.ids = ids}, {std::ssize(ids), 0});
  if (!runs) co_return fail(runs.error());
  std::int64_t left = 0;
  for (const auto& run : *runs) {
    if (!run.request.temporary) continue;
    std::erase(ids, run.id);
    const auto ended = co_await end_temporary(run);
    if (!ended) co_return fail(ended.error());
    left += *ended ? 0 : 1;
  }
  if (ids.empty()) co_return left;
  store::Commit commit{.at = context_.env.clock.now()};
  commit.changes.emplace_back(store::EraseFrames{std::move(ids)});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return left;
}

// Erases the thread that a run was given for itself. False while somebody uses it.
Task<Result<bool>> Runs::end_temporary(domain::Run run) {
  store::Commit commit{.at = context_.env.clock.now()};
  const auto added = co_await add_thread_end(context_, commit, run.thread_id);
  if (!added && added.error().code == Errc::busy) co_return false;
  if (!added) co_return fail(added.error());
  commit.changes.emplace_back(store::EraseFrames{{run.id}});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done && done.error().code == Errc::conflict) co_return false;
  if (!done) co_return fail(done.error());
  co_return true;
}

}  // namespace dg::app
