// How runs end: by their owner's word, by a cancel, or by losing the owner.
#include <algorithm>
#include <iterator>

#include "app/changes.hpp"
#include "app/run_trace.hpp"
#include "app/runs.hpp"
#include "base/log.hpp"

namespace dg::app {
namespace {

// What follows from an owner's word that it is done.
domain::RunEvents decide_end(const domain::Run& run, std::int64_t epoch, const CompleteSaid& said) {
  switch (said.outcome) {
    case Outcome::success:
      return domain::decide_complete(run, epoch);
    case Outcome::interrupted:
      return domain::decide_pause(run, epoch);
    case Outcome::error:
      return domain::decide_fail(run, epoch, said.error);
    case Outcome::cancelled:
      break;
  }
  if (run.epoch != epoch || run.state != domain::RunState::in_progress)
    return fail(Errc::superseded, "the run has another owner or is over");
  return domain::decide_cancelled(run);
}

// The class of a failure only: its message is the user's, and may hold anything.
void log_end(const domain::Run& run) {
  const log::Fields about{{"run_id", run.id}, {"thread_id", run.thread_id}, {"trace_id", trace_id_of(run)}};
  if (run.state == domain::RunState::queued) return;  // it lost its worker, which is told with the reason
  if (run.error)
    log::info(about, "a run of {} ended: {}, {}", run.graph_id, to_string(run.state), run.error->error);
  else
    log::debug(about, "a run of {} ended: {}", run.graph_id, to_string(run.state));
}

}  // namespace

// A cancel moves the time from which an attempt is counted, so the log of the run is asked for it.
Task<void> Runs::record_attempt(RunMeters::Attempt attempt, const domain::Run& run) {
  auto span = span_of_attempt(attempt, run);
  if (!span) co_return;
  if (attempt.cancelled) {
    const auto events = co_await context_.store.events(run.id);
    if (!events) co_return;
    for (const auto& event : *events)
      if (event.type == "RunStarted") span->began = event.at;
  }
  context_.tracer->record(std::move(*span));
}

Task<Status> Runs::end_with(domain::Run run, std::vector<domain::RunEvent> events,
                            std::optional<store::Fence> fence, RunProgress progress, Caller caller) {
  const std::string session = run.session_id;
  const auto attempt = RunMeters::attempt_of(run);
  if (run.cancel == domain::CancelAction::rollback) events.emplace_back(domain::RunDeleted{"rolled back"});
  const bool erase = std::ranges::any_of(
      events, [](const auto& event) { return std::holds_alternative<domain::RunDeleted>(event); });
  std::ranges::move(events, std::back_inserter(progress.events));
  auto commit = commit_for(caller, context_.env.clock.now());
  commit.changes = std::move(progress.changes);
  if (fence) commit.conditions.emplace_back(*fence);
  append_run(commit, run, progress.events, erase);
  auto& frames = progress.frames;
  if (run.error && domain::is_terminal(run.state) && !erase)
    frames.push_back({"error", frame_json(*run.error)});
  // They come first, since a rollback erases them with the run.
  if (!frames.empty())
    commit.changes.emplace(commit.changes.begin(), store::AppendFrames{run.id, run.thread_id, frames});
  commit.changes.emplace_back(store::DropLease{run.id});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  if (!frames.empty()) streams_.publish(run.id, done->first_frames.front(), frames);
  workers_.disown(session, run.id);
  meters_.left(attempt, run);
  log_end(run);
  if (context_.tracer != nullptr) co_await record_attempt(attempt, run);
  wake(run);
  co_return Status{};
}

Task<Status> Runs::complete(std::string run_id, std::int64_t epoch, RunProgress progress, CompleteSaid said) {
  co_return co_await until_decided([&] { return try_complete(run_id, epoch, progress, said); });
}

Task<Status> Runs::try_complete(std::string run_id, std::int64_t epoch, RunProgress progress,
                                CompleteSaid said) {
  auto found = co_await context_.store.run(run_id);
  if (!found) co_return fail(found.error());
  if (!*found) co_return fail(Errc::superseded, "the run does not exist any more");
  const auto& run = **found;
  const bool owned = run.epoch == epoch && run.state == domain::RunState::in_progress;
  const bool cancelled = said.outcome == Outcome::cancelled;
  if (cancelled && owned && run.cancel == domain::CancelAction::none)
    co_return co_await lose_owner(run_id, run.session_id, "its worker gave it up");
  auto events = decide_end(run, epoch, said);
  if (!events) co_return fail(events.error());
  const store::Fence fence{run_id, epoch, progress.first_n, progress.last_n};
  co_return co_await end_with(run, std::move(*events), fence, std::move(progress));
}

Task<void> Runs::enforce_cancel(std::string run_id, std::int64_t epoch) {
  auto& timers = context_.env.timers;
  const auto deadline = timers.now() + context_.settings.cancel_grace;
  stopping_.insert(run_id);
  while (true) {
    const auto stopped = co_await streams_.wait_inactive(run_id, deadline);
    if (stopped || stopped.error().code == Errc::not_found) break;
    if (stopped.error().code == Errc::timeout) {
      if (timers.now() < deadline) continue;  // a client has gone, which wakes all who wait
      const auto done = co_await fence_off(run_id, epoch);
      if (done || done.error().code == Errc::not_found) break;
      log::error({{"run_id", run_id}}, "a run could not be fenced off after a cancel: {}",
                 done.error().message);
    }
    co_await sleep_for(timers, retry_pause);
  }
  stopping_.erase(run_id);
}

Task<Status> Runs::fence_off(std::string run_id, std::int64_t epoch) {
  co_return co_await until_decided([&] { return try_fence_off(run_id, epoch); });
}

Task<Status> Runs::try_fence_off(std::string run_id, std::int64_t epoch) {
  const auto run = co_await get(run_id);
  if (!run) co_return fail(run.error());
  if (run->state != domain::RunState::in_progress || run->epoch != epoch) co_return Status{};
  auto events = domain::decide_cancelled(*run);
  if (!events) co_return fail(events.error());
  const auto done = co_await end_with(*run, std::move(*events));
  if (done)
    workers_.send(run->session_id,
                  Superseded{run_id, epoch, "the run was cancelled and did not stop in time"});
  co_return done;
}

Task<void> Runs::end_overdue(Leadership& leadership) {
  const auto pause = std::min<Duration>(context_.settings.run_timeout / 4, context_.settings.safety_net);
  while (true) {
    co_await leadership.wait_until_leading();
    if (const auto done = co_await end_overdue_once(); !done)
      log::error("runs that take too long could not be ended: {}", done.error().message);
    co_await sleep_for(context_.env.timers, pause);
  }
}

Task<Status> Runs::end_overdue_once() {
  constexpr std::int64_t at_once = 200;
  const auto begun_before = context_.env.clock.now() - context_.settings.run_timeout;
  const auto runs = co_await context_.store.overdue_runs(begun_before, at_once);
  if (!runs) co_return fail(runs.error());
  for (const auto& run : *runs) {
    const auto done = co_await until_decided([&] { return try_time_out(run.id, run.epoch); });
    if (!done && done.error().code != Errc::not_found) co_return done;
  }
  co_return Status{};
}

Task<Status> Runs::try_time_out(std::string run_id, std::int64_t epoch) {
  auto run = co_await get(run_id);
  if (!run) co_return fail(run.error());
  if (run->epoch != epoch) co_return Status{};  // another attempt has its own time
  auto events = domain::decide_time_out(*run);
  if (!events) co_return fail(events.error());
  if (events->empty()) co_return Status{};
  const auto asked = co_await ask_to_stop(the_server, std::move(*run), std::move(*events));
  if (!asked) co_return fail(asked.error());
  log::warn({{"run_id", run_id}, {"thread_id", asked->thread_id}, {"trace_id", trace_id_of(*asked)}},
            "attempt {} at a run of {} took longer than it may, and is told to stop", asked->attempt,
            asked->graph_id);
  co_return Status{};
}

Task<Status> Runs::lose_owner(std::string run_id, std::string session_id, std::string reason) {
  co_return co_await until_decided([&] { return try_lose_owner(run_id, session_id, reason); });
}

Task<Status> Runs::try_lose_owner(std::string run_id, std::string session_id, std::string reason) {
  const auto run = co_await get(run_id);
  if (!run) co_return fail(run.error());
  if (run->session_id != session_id || run->state != domain::RunState::in_progress) co_return Status{};
  auto events = domain::decide_lose_owner(*run, reason, context_.env.clock.now());
  if (!events) co_return fail(events.error());
  const auto done = co_await end_with(*run, std::move(*events));
  if (!done) co_return done;
  meters_.lost();
  log::warn({{"run_id", run->id}, {"thread_id", run->thread_id}, {"trace_id", trace_id_of(*run)}},
            "attempt {} of a run of {} lost its worker: {}", run->attempt, run->graph_id, reason);
  co_return done;
}

Task<Status> Runs::take_from(std::string session_id, std::string reason) {
  const auto leases = co_await context_.store.leases();
  if (!leases) co_return fail(leases.error());
  Status status;
  for (const auto& lease : *leases) {
    if (lease.session_id != session_id) continue;
    if (lease.kind == store::LeaseKind::run) {
      const auto done = co_await lose_owner(lease.owner, session_id, reason);
      if (!done && done.error().code != Errc::not_found) status = done;
    } else {
      store::Commit commit;
      commit.changes.emplace_back(store::DropLease{lease.owner});
      if (const auto done = co_await context_.store.commit(std::move(commit)); !done)
        status = fail(done.error());
    }
  }
  context_.bus.publish(bus::Topic::queue, "");
  co_return status;
}

}  // namespace dg::app
