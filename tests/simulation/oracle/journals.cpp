// What workers and clients were told, against what is durable.
#include "simulation/oracle/oracle.hpp"

namespace dg::simulation {
namespace {

// Until the next sweep, the time to stop, and where the leader dies another one's beginning.
constexpr auto longest_time_out = seconds(45);

}  // namespace

void Oracle::said(const OwnerKey& owner, std::int64_t n, std::int64_t serial, bool complete) {
  auto& entry = owners_[owner];
  entry.said[n] = serial;
  if (complete) entry.complete_n = n;
}

void Oracle::told_applied(const OwnerKey& key, std::int64_t n) {
  const auto& owner = owners_[key];
  const auto run = runs_.find(key.first);
  if (run != runs_.end() && run->second.erased) return;
  for (auto it = owner.said.begin(); it != owner.said.end() && it->first <= n; ++it) {
    const auto& [number, serial] = *it;
    if (number == owner.complete_n) {
      const bool goes_on = run != runs_.end() && run->second.now.state == domain::RunState::in_progress &&
                           run->second.now.epoch == key.second;
      if (goes_on)
        stage_.fail("G2", fmt::format("the worker of {} (epoch {}) is told that it ended, and it has not",
                                      key.first, key.second));
      continue;
    }
    const auto durable = owner.applied.find(number);
    if (durable == owner.applied.end() || durable->second != serial)
      return stage_.fail(
          "G2",
          fmt::format("the worker of {} (epoch {}) is told that message {} is durable, and {}", key.first,
                      key.second, number, durable == owner.applied.end() ? "it is not" : "another one is"));
  }
}

void Oracle::told_created(const std::string& run_id, const std::string& tag) {
  auto& run = runs_[run_id];
  run.acknowledged = true;
  if (!run.created) return stage_.fail("G1", "the run " + run_id + " is acknowledged and not durable");
  const auto found = tags_.find(tag);
  if (found == tags_.end() || found->second != run_id)
    stage_.fail("G1", "the answer to a request names another run than the one it made: " + run_id);
}

void Oracle::told_cancelled(const std::string& run_id) {
  const auto& run = runs_[run_id];
  if (run.erased || domain::is_terminal(run.now.state)) return;
  if (run.now.cancel == domain::CancelAction::none)
    stage_.fail("G6", "the cancel of the run " + run_id + " is acknowledged and not durable");
  stage_.expect(seconds(9), "G6", [this, run_id]() -> std::string {
    return active(run_id) ? "the run " + run_id + " is still active 9 s after its cancel was acknowledged"
                          : "";
  });
}

void Oracle::told_over(const std::string& run_id) {
  if (active(run_id))
    stage_.fail("G5", "a waiter was told the result of the run " + run_id + ", which is active");
}

void Oracle::told_missing(const std::string& run_id) {
  const auto& run = runs_[run_id];
  if (run.acknowledged && !run.erased)
    stage_.fail("G1", "the run " + run_id + " was acknowledged and is not found");
}

void Oracle::told_frame(const std::string& run_id, std::int64_t expected, std::int64_t number,
                        const Frame& frame) {
  const auto& run = runs_[run_id];
  if (number != expected)
    return stage_.fail(
        "G5", fmt::format("a reader of {} gets frame {} where {} is next", run_id, number, expected));
  if (number >= std::ssize(run.frames))
    return stage_.fail("G5",
                       fmt::format("a reader of {} gets frame {}, which is not durable", run_id, number));
  const auto& stored = run.frames[static_cast<std::size_t>(number)];
  if (stored.event != frame.event || stored.data != frame.data)
    stage_.fail("G5", fmt::format("a reader of {} gets another frame {} than the stored one: {} is not {}",
                                  run_id, number, frame.data, stored.data));
}

void Oracle::told_end(const std::string& run_id, std::int64_t next) {
  const auto& run = runs_[run_id];
  if (run.erased || run.frames_erased) return;
  if (active(run_id)) return stage_.fail("G5", "the stream of the run " + run_id + " ends before it");
  if (next != std::ssize(run.frames))
    stage_.fail("G5", fmt::format("the stream of the run {} ends after {} of {} frames", run_id, next,
                                  run.frames.size()));
}

void Oracle::check_times(WallTime now, Duration calm) {
  for (const auto& [thread_id, ids] : open_)
    for (const auto& id : ids) {
      const auto& run = runs_[id];
      if (run.now.state != domain::RunState::in_progress) continue;
      const auto late = now - run.started_at - time_of_runs;
      if (std::min<Duration>(late, calm) > longest_time_out)
        stage_.fail("G7", fmt::format("the run {} is in progress {} s after its time was over", id,
                                      std::chrono::duration_cast<seconds>(late).count()));
    }
}

void Oracle::check_at_rest() {
  for (const auto& [id, run] : runs_) {
    if (!run.created || run.erased) continue;
    if (run.acknowledged && tables_.run(id) == nullptr)
      stage_.fail("G1", "the run " + id + " was acknowledged and is lost");
    if (active(id))
      stage_.fail("G1", fmt::format("the run {} is {} for ever", id, domain::to_string(run.now.state)));
  }
  for (const auto& [owner, lease] : tables_.leases())
    stage_.fail("G6", "the thread " + lease.thread_id + " is held by " + owner + " for ever");
  for (const auto& [id, thread] : tables_.threads())
    if (thread.row && thread.status == domain::ThreadStatus::busy)
      stage_.fail("G6", "the thread " + id + " is busy for ever");
}

bool Oracle::erased(const std::string& run_id) const {
  const auto found = runs_.find(run_id);
  return found != runs_.end() && found->second.erased;
}

bool Oracle::active(const std::string& run_id) const {
  const auto found = runs_.find(run_id);
  return found != runs_.end() && found->second.created && !found->second.erased &&
         domain::is_active(found->second.now.state);
}

std::int64_t Oracle::frame_count(const std::string& run_id) const {
  const auto found = runs_.find(run_id);
  return found == runs_.end() ? 0 : std::ssize(found->second.frames);
}

}  // namespace dg::simulation
