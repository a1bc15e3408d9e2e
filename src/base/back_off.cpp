#include "base/back_off.hpp"

#include <algorithm>

namespace dg {

Duration pause_after(int failures, const BackOff& limits, std::uint64_t chance) {
  Duration pause = std::min(limits.first, limits.longest);
  for (int i = 1; i < failures && pause < limits.longest; ++i) pause = std::min(pause * 2, limits.longest);
  constexpr std::int64_t parts = 1023;
  return pause / 2 + pause / 2 * static_cast<std::int64_t>(chance % (parts + 1)) / parts;
}

}  // namespace dg
