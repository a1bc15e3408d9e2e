// A set of whole numbers, kept as spans: places of a log that are taken, bytes that are needed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace dg::store {

class Spans {
 public:
  // Adds [from, end).
  void add(std::int64_t from, std::int64_t end) {
    if (from >= end) return;
    auto at = spans_.upper_bound(from);
    if (at != spans_.begin() && std::prev(at)->second >= from) at = std::prev(at);
    while (at != spans_.end() && at->first <= end) {
      from = std::min(from, at->first);
      end = std::max(end, at->second);
      at = spans_.erase(at);
    }
    spans_.emplace(from, end);
  }

  // Whether all of [from, end) is in it.
  bool holds(std::int64_t from, std::int64_t end) const {
    if (from >= end) return true;
    const auto after = spans_.upper_bound(from);
    return after != spans_.begin() && std::prev(after)->second >= end;
  }

  // Whether any of [from, end) is in it.
  bool touches(std::int64_t from, std::int64_t end) const {
    const auto after = spans_.lower_bound(end);
    return from < end && after != spans_.begin() && std::prev(after)->second > from;
  }

  // The first number from 1 to `last` that is missing; 0 when none is.
  std::int64_t first_free(std::int64_t last) const {
    const auto after = spans_.upper_bound(1);
    const auto due = after != spans_.begin() ? std::max<std::int64_t>(std::prev(after)->second, 1) : 1;
    return due <= last ? due : 0;
  }

  // Each from its first number to the one behind its last.
  const std::map<std::int64_t, std::int64_t>& all() const { return spans_; }

 private:
  std::map<std::int64_t, std::int64_t> spans_;  // first -> behind the last
};

}  // namespace dg::store
