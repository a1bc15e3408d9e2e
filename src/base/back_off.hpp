// Pauses between the attempts of something that fails for a while.
#pragma once

#include <cstdint>

#include "base/async.hpp"

namespace dg {

struct BackOff {
  Duration first;  // doubles with each failure
  Duration longest;
};

// How long to wait before another attempt, after so many that failed. Half of it depends on `chance`, a
// random number, so that many who failed together do not come back together.
Duration pause_after(int failures, const BackOff& limits, std::uint64_t chance);

}  // namespace dg
