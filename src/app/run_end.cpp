// How runs end: by their owner's word, by a cancel, or by losing the owner.
#include "app/changes.hpp"
#include "app/runs.hpp"
#include "base/log.hpp"

namespace dg::app {

Task<Status> Runs::end_with(domain::Run run, std::vector<domain::RunEvent> events,
                            std::optional<store::Fence> fence) {
  const std::string session = run.session_id;
  store::Commit commit;
  if (fence) commit.conditions.emplace_back(*fence);
  bool erase = false;
  for (const auto& event : events) erase = erase || std::holds_alternative<domain::RunDeleted>(event);
  append_run(commit, run, events, context_.env.clock.now(), erase);
  std::vector<store::Frame> frames;
  if (run.error && domain::is_terminal(run.state) && !erase) {
    frames.push_back({"error", frame_json(*run.error)});
    commit.changes.emplace_back(store::AppendFrames{run.id, run.thread_id, frames});
  }
  commit.changes.emplace_back(store::DropLease{run.id});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  if (!frames.empty()) streams_.publish(run.id, done->first_frames.front(), frames);
  workers_.disown(session, run.id);
  wake(run);
  co_return Status{};
}

Task<Status> Runs::complete(std::string run_id, std::int64_t epoch, std::int64_t n, CompleteSaid said) {
  for (int attempt = 0;; ++attempt) {
    auto found = co_await context_.store.run(run_id);
    if (!found) co_return fail(found.error());
    if (!*found) co_return fail(Errc::superseded, "the run does not exist any more");
    const auto& run = **found;
    domain::RunEvents events;
    switch (said.outcome) {
      case Outcome::success:
        events = domain::decide_complete(run, epoch);
        break;
      case Outcome::interrupted:
        events = domain::decide_pause(run, epoch);
        break;
      case Outcome::error:
        events = domain::decide_fail(run, epoch, said.error);
        break;
      case Outcome::cancelled:
        if (run.epoch != epoch || run.state != domain::RunState::in_progress) {
          events = fail(Errc::superseded, "the run has another owner or is over");
        } else if (run.cancel != domain::CancelAction::none) {
          events = domain::decide_cancelled(run);
        } else {
          co_return co_await lose_owner(run_id, run.session_id, "its worker gave it up");
        }
        break;
    }
    if (!events) co_return fail(events.error());
    if (run.cancel == domain::CancelAction::rollback) events->push_back(domain::RunDeleted{"rolled back"});
    const auto done = co_await end_with(run, *events, store::Fence{run_id, epoch, n, n});
    if (done) co_return Status{};
    if (done.error().code != Errc::conflict || attempt + 1 >= decide_attempts) co_return done;
  }
}

Task<void> Runs::enforce_cancel(std::string run_id, std::int64_t epoch) {
  const auto stopped =
      co_await streams_.wait_inactive(run_id, context_.env.timers.now() + context_.settings.cancel_grace);
  if (stopped || stopped.error().code == Errc::not_found) co_return;
  const auto done = co_await fence_off(run_id, epoch);
  if (!done && done.error().code != Errc::not_found)
    log::error("the run {} could not be fenced off after a cancel: {}", run_id, done.error().message);
}

Task<Status> Runs::fence_off(std::string run_id, std::int64_t epoch) {
  for (int attempt = 0;; ++attempt) {
    const auto run = co_await get(run_id);
    if (!run) co_return fail(run.error());
    if (run->state != domain::RunState::in_progress || run->epoch != epoch) co_return Status{};
    auto events = domain::decide_cancelled(*run);
    if (!events) co_return fail(events.error());
    if (run->cancel == domain::CancelAction::rollback) events->push_back(domain::RunDeleted{"rolled back"});
    const auto done = co_await end_with(*run, *events, std::nullopt);
    if (done) {
      workers_.send(run->session_id,
                    Superseded{run_id, epoch, "the run was cancelled and did not stop in time"});
      co_return done;
    }
    if (done.error().code != Errc::conflict || attempt + 1 >= decide_attempts) co_return done;
  }
}

Task<Status> Runs::lose_owner(std::string run_id, std::string session_id, std::string reason) {
  for (int attempt = 0;; ++attempt) {
    const auto run = co_await get(run_id);
    if (!run) co_return fail(run.error());
    if (run->session_id != session_id || run->state != domain::RunState::in_progress) co_return Status{};
    auto events = domain::decide_lose_owner(*run, reason, context_.env.clock.now());
    if (!events) co_return fail(events.error());
    if (run->cancel == domain::CancelAction::rollback) events->push_back(domain::RunDeleted{"rolled back"});
    const auto done = co_await end_with(*run, *events, std::nullopt);
    if (done) co_return done;
    if (done.error().code != Errc::conflict || attempt + 1 >= decide_attempts) co_return done;
  }
}

Task<void> Runs::take_from(std::string session_id, std::string reason) {
  const auto leases = co_await context_.store.leases();
  if (!leases) {
    log::error("the leases of the session {} could not be read: {}", session_id, leases.error().message);
    co_return;
  }
  for (const auto& lease : *leases) {
    if (lease.session_id != session_id) continue;
    if (lease.kind == store::LeaseKind::run) {
      const auto done = co_await lose_owner(lease.owner, session_id, reason);
      if (!done && done.error().code != Errc::not_found)
        log::error("the run {} could not be taken from its worker: {}", lease.owner, done.error().message);
    } else {
      store::Commit commit;
      commit.changes.emplace_back(store::DropLease{lease.owner});
      if (const auto done = co_await context_.store.commit(std::move(commit)); !done)
        log::error("the operation {} could not be ended: {}", lease.owner, done.error().message);
    }
  }
  context_.bus.publish(bus::Topic::queue, "");
}

}  // namespace dg::app
