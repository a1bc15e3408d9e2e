#include "simulation/bugs/buggy_store.hpp"

#include <algorithm>

namespace dg::simulation {
namespace {

template <class T>
bool has(const Commit& commit) {
  return std::ranges::any_of(commit.changes, [](const Change& c) { return std::holds_alternative<T>(c); });
}

template <class T>
bool is(const Condition& condition) {
  return std::holds_alternative<T>(condition);
}

bool has_event(const Commit& commit, std::string_view type) {
  return std::ranges::any_of(commit.appends, [&](const Append& append) {
    return std::ranges::any_of(append.events, [&](const NewEvent& event) { return event.type == type; });
  });
}

}  // namespace

bool is_of_store(Bug bug) {
  using enum Bug;
  return (bug >= numbers_not_checked && bug <= cancel_lost) ||
         (bug >= connection_not_checked && bug <= heads_not_locked);
}

void BuggyStore::forget_numbers(Commit& commit) {
  for (auto& condition : commit.conditions)
    if (auto* fence = std::get_if<Fence>(&condition)) fence->first_n = fence->last_n = 0;
}

// Whoever comes takes the thread.
void BuggyStore::forget_holders(Commit& commit) {
  std::vector<Change> first;
  for (const auto& change : commit.changes) {
    const auto* put = std::get_if<PutLease>(&change);
    const auto* thread = put == nullptr ? nullptr : disk().tables.thread(put->lease.thread_id);
    if (thread != nullptr && !thread->lease.empty()) first.emplace_back(DropLease{thread->lease});
  }
  commit.changes.insert(commit.changes.begin(), first.begin(), first.end());
}

void BuggyStore::spoil(Commit& commit) {
  switch (bug_) {
    case Bug::numbers_not_checked:
      return forget_numbers(commit);
    case Bug::lease_left_behind:
      if (dice_.percent(20))
        std::erase_if(commit.changes, [](const Change& c) { return std::holds_alternative<DropLease>(c); });
      return;
    case Bug::versions_not_checked:
      for (auto& append : commit.appends) append.expected_version.reset();
      return;
    case Bug::two_owners:
      return forget_holders(commit);
    case Bug::connection_not_checked:
      std::erase_if(commit.conditions, is<SessionAt>);
      return;
    case Bug::fence_ignored:
      std::erase_if(commit.conditions, is<Fence>);
      return;
    case Bug::cancel_lost:
      if (has_event(commit, "RunCancelRequested") && commit.appends.size() == 1) commit = {};
      return;
    default:
      return;
  }
}

bool BuggyStore::too_early(const Commit& commit) const {
  if (bug_ == Bug::answers_before_flush) return true;
  return bug_ == Bug::frames_before_commit && has<AppendFrames>(commit) && !has<PutRun>(commit);
}

Task<Result<Committed>> BuggyStore::do_commit(Commit commit) {
  if (too_early(commit)) co_return co_await answer_early(std::move(commit));
  if (bug_ == Bug::commits_in_halves) co_return co_await in_halves(std::move(commit));
  if (bug_ == Bug::heads_not_locked) co_return co_await judged_before(std::move(commit));
  co_return co_await SimulatedStore::do_commit(std::move(commit));
}

Task<Result<Committed>> BuggyStore::judged_before(Commit commit) {
  if (auto judged = disk().tables.judge(commit); !judged) co_return fail(std::move(judged.error()));
  std::erase_if(commit.conditions, [](const Condition& condition) { return !is<Fence>(condition); });
  for (auto& append : commit.appends) append.expected_version.reset();
  co_return co_await SimulatedStore::do_commit(std::move(commit));
}

// Judges by what is durable, answers, and leaves the writing for later.
Task<Result<Committed>> BuggyStore::answer_early(Commit commit) {
  Tables copy = disk().tables;
  auto answer = copy.commit(env(), commit);
  if (!answer) co_return answer;
  std::size_t next = 0;
  for (const auto& change : commit.changes) {
    const auto* some = std::get_if<AppendFrames>(&change);
    if (some == nullptr) continue;
    auto& ahead = frames_ahead_[some->run_id];
    auto& first = answer->first_frames.at(next++);
    first = std::max(first, ahead);
    ahead = first + std::ssize(some->frames);
  }
  spawn(env().timers.executor(), "late write", [](SimulatedStore& store, Commit late) -> Task<void> {
    co_await store.SimulatedStore::do_commit(std::move(late));
  }(*this, std::move(commit)));
  co_return answer;
}

Task<Result<Committed>> BuggyStore::in_halves(Commit commit) {
  if (commit.appends.empty() || commit.changes.empty())
    co_return co_await SimulatedStore::do_commit(std::move(commit));
  Commit second;
  second.changes = std::exchange(commit.changes, {});
  auto first = co_await SimulatedStore::do_commit(std::move(commit));
  if (!first) co_return first;
  co_return co_await SimulatedStore::do_commit(std::move(second));
}

// A reader of the database that is a moment behind.
Reply<std::optional<domain::Run>> BuggyStore::run(std::string id) {
  if (bug_ != Bug::reads_lag) co_return co_await SimulatedStore::run(std::move(id));
  const auto then = read_run(disk().tables, id);
  const auto lags = then && env().clock.now() - then->updated_at < milliseconds(2);
  if (lags && then->created_at == then->updated_at) co_return std::nullopt;
  co_return co_await SimulatedStore::run(std::move(id));
}

}  // namespace dg::simulation
