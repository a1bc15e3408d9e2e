// Whether this instance does what one of all instances does at a time: ending sessions whose heartbeats
// stopped, retention, and whatever nobody else remembers.
#pragma once

#include <cstdint>

#include "base/async.hpp"

namespace dg::app {

// Said by whoever starts the server; one that is alone leads always. All that a leader does is conditional:
// for a moment two may believe that they lead.
class Leadership {
 public:
  Leadership(Timers& timers, bool leads) : leads_(leads), changed_(timers) {}

  bool leads() const { return leads_; }
  // Counts how often it was gained.
  std::uint64_t term() const { return term_; }
  void set(bool leads) {
    if (leads_ == leads) return;
    leads_ = leads;
    if (leads) ++term_;
    changed_.notify_all();
  }
  Task<void> wait_until_leading() {
    while (!leads_) co_await changed_.wait();
  }
  // Returns after `duration`, or when the leadership is lost.
  Task<void> wait_while_leading(Duration duration) {
    if (leads_) co_await changed_.wait_for(duration);
  }

 private:
  bool leads_;
  std::uint64_t term_ = 1;
  Signal changed_;
};

}  // namespace dg::app
