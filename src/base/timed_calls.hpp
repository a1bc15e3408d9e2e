// Calls that wait for their times: what every implementation of Timers keeps.
#pragma once

#include <functional>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/async.hpp"

namespace dg {

// Calls in the order of their times, and those of one time in the order in which they were added.
class TimedCalls {
 public:
  Timers::Id add(SteadyTime when, std::function<void()> fn) {
    const Timers::Id id = ++last_id_;
    calls_.emplace(Key{when, id}, std::move(fn));
    when_.emplace(id, when);
    return id;
  }
  // Forgets a call; an unknown id is ignored.
  void cancel(Timers::Id id) {
    const auto found = when_.find(id);
    if (found == when_.end()) return;
    calls_.erase(Key{found->second, id});
    when_.erase(found);
  }
  void clear() {
    calls_.clear();
    when_.clear();
  }

  // The time of the first call; SteadyTime::max() when there is none.
  SteadyTime earliest() const { return calls_.empty() ? SteadyTime::max() : calls_.begin()->first.first; }
  // Takes the first call out, to be made by the caller. There must be one.
  std::function<void()> take_first() {
    auto call = calls_.extract(calls_.begin());
    when_.erase(call.key().second);
    return std::move(call.mapped());
  }

 private:
  using Key = std::pair<SteadyTime, Timers::Id>;
  std::map<Key, std::function<void()>> calls_;
  std::unordered_map<Timers::Id, SteadyTime> when_;
  Timers::Id last_id_ = 0;
};

}  // namespace dg
