// Which events can follow which in the history of a run: what a check of stored events holds them against.
#pragma once

#include <optional>
#include <string>

#include "domain/run.hpp"

namespace dg::domain {

// Why the event cannot come after the state, or nothing where it can. `deleted`: RunDeleted came
// before it. No decision gives an event that this refuses.
std::optional<std::string> impossible_after(const Run& run, bool deleted, const RunEvent& event);

}  // namespace dg::domain
