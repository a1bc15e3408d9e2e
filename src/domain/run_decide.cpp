#include <array>

#include "domain/run.hpp"

namespace dg::domain {
namespace {

constexpr std::array backoffs{std::chrono::milliseconds(0), std::chrono::milliseconds(1000),
                              std::chrono::milliseconds(5000), std::chrono::milliseconds(15000)};

Status check_owner(const Run& run, std::int64_t epoch) {
  if (run.state != RunState::in_progress)
    return fail(Errc::superseded, "the run is " + std::string(to_string(run.state)) + ", nobody owns it");
  if (run.epoch != epoch)
    return fail(Errc::superseded, "the run has another owner: epoch " + std::to_string(run.epoch) + ", not " +
                                      std::to_string(epoch));
  return {};
}

RunEvents one(RunEvent event) {
  std::vector<RunEvent> events;
  events.push_back(std::move(event));
  return events;
}

// How a run ends that was asked to stop.
RunEvent stopped(const Run& run) {
  if (run.cancel == CancelAction::time_out)
    return RunTimedOut{"the run was still in progress when its time was over"};
  return RunCancelled{};
}

}  // namespace

std::chrono::milliseconds retry_backoff(std::int64_t attempts_so_far) {
  if (attempts_so_far < 1) return backoffs.front();
  const auto index = static_cast<std::size_t>(attempts_so_far - 1);
  return index < backoffs.size() ? backoffs[index] : backoffs.back();
}

RunEvents decide_start(const Run& run, const RunStarted& owner, WallTime now) {
  if (run.state != RunState::queued)
    return fail(Errc::busy, "the run is " + std::string(to_string(run.state)) + ", not queued");
  if (run.not_before > now)
    return fail(Errc::busy, "the run is not due before " + to_rfc3339(run.not_before));
  RunStarted started = owner;
  started.epoch = run.epoch + 1;
  started.attempt = run.attempt + 1;
  return one(std::move(started));
}

RunEvents decide_complete(const Run& run, std::int64_t epoch) {
  if (auto status = check_owner(run, epoch); !status) return fail(status.error());
  return one(RunCompleted{});
}

RunEvents decide_pause(const Run& run, std::int64_t epoch) {
  if (auto status = check_owner(run, epoch); !status) return fail(status.error());
  // A pause would outlive the cancel that was asked for.
  if (run.cancel != CancelAction::none) return std::vector<RunEvent>{RunRequiresAction{}, stopped(run)};
  return one(RunRequiresAction{});
}

RunEvents decide_fail(const Run& run, std::int64_t epoch, RunError error) {
  if (auto status = check_owner(run, epoch); !status) return fail(status.error());
  return one(RunFailed{std::move(error)});
}

RunEvents decide_cancelled(const Run& run) {
  if (auto status = check_owner(run, run.epoch); !status) return fail(status.error());
  if (run.cancel == CancelAction::none) return fail(Errc::conflict, "nobody asked to cancel the run");
  return one(stopped(run));
}

RunEvents decide_time_out(const Run& run) {
  if (run.state != RunState::in_progress || run.cancel != CancelAction::none) return std::vector<RunEvent>{};
  return one(RunCancelRequested{CancelAction::time_out});
}

RunEvents decide_cancel(const Run& run, CancelAction action) {
  if (action == CancelAction::none) return fail(Errc::invalid_argument, "a cancel needs an action");
  if (is_terminal(run.state)) return std::vector<RunEvent>{};
  const bool asked = run.cancel == action || run.cancel == CancelAction::rollback;
  if (run.state == RunState::in_progress)
    return asked ? RunEvents(std::vector<RunEvent>{}) : one(RunCancelRequested{action});
  if (run.state == RunState::requires_action) return one(RunCancelled{});
  return std::vector<RunEvent>{RunCancelRequested{action}, RunCancelled{}};
}

RunEvents decide_lose_owner(const Run& run, std::string_view reason, WallTime now) {
  if (auto status = check_owner(run, run.epoch); !status) return fail(status.error());
  if (run.cancel != CancelAction::none) return one(stopped(run));
  if (run.attempt >= max_attempts)
    return one(RunFailed{{"WorkerLost", "the run lost its worker in each of " + std::to_string(run.attempt) +
                                            " attempts, the last time because " + std::string(reason)}});
  return one(
      LeaseExpired{run.session_id, std::string(reason), run.epoch + 1, now + retry_backoff(run.attempt)});
}

RunEvents decide_resumed_by(const Run& run, std::string_view other) {
  if (run.state != RunState::requires_action)
    return fail(Errc::conflict, "the run is " + std::string(to_string(run.state)) + ", it has not paused");
  return one(RunCompleted{std::string(other)});
}

RunEvents decide_delete(const Run& run, std::string_view reason) {
  if (is_active(run.state))
    return fail(Errc::busy,
                "the run is " + std::string(to_string(run.state)) + "; cancel it before deleting it");
  return one(RunDeleted{std::string(reason)});
}

}  // namespace dg::domain
