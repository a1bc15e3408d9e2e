// The places of a thread's log that are taken, as spans.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>

namespace dg::store::audit {

class Places {
 public:
  // False, and nothing changes, when the place is taken already.
  bool take(std::int64_t place) {
    auto after = spans_.upper_bound(place);
    const auto before = after == spans_.begin() ? spans_.end() : std::prev(after);
    if (before != spans_.end() && place < before->second) return false;
    const bool joins_before = before != spans_.end() && before->second == place;
    const bool joins_after = after != spans_.end() && after->first == place + 1;
    const auto end = joins_after ? after->second : place + 1;
    if (joins_after) spans_.erase(after);
    if (joins_before) {
      before->second = end;
    } else {
      spans_.emplace(place, end);
    }
    return true;
  }

  // The first place from 1 to `last` that is free; 0 when all are taken.
  std::int64_t first_free(std::int64_t last) const {
    std::int64_t due = 1;
    if (const auto first = spans_.begin(); first != spans_.end() && first->first <= 1) due = first->second;
    return due <= last ? due : 0;
  }

 private:
  std::map<std::int64_t, std::int64_t> spans_;  // first -> behind the last
};

}  // namespace dg::store::audit
