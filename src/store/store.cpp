#include "store/store.hpp"

#include <utility>

namespace dg::store {

void Store::watch_commits(const Timers& timers, CommitWatch watch) {
  timers_ = &timers;
  watch_ = std::move(watch);
}

Task<Result<Committed>> Store::commit(Commit commit) {
  return watch_ ? watched(std::move(commit)) : do_commit(std::move(commit));
}

Task<Result<Committed>> Store::watched(Commit commit) {
  const auto began = timers_->now();
  auto answer = co_await do_commit(std::move(commit));
  // Who watched may be gone by now.
  if (watch_) watch_(timers_->now() - began, answer);
  co_return answer;
}

}  // namespace dg::store
