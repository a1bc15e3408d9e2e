// Holding events, logs, streams and leases against each other, and read tables against what follows
// from them.
#pragma once

#include "store/audit/findings.hpp"
#include "store/audit/port.hpp"
#include "store/audit/table_match.hpp"

namespace dg::store::audit {

// Where the checks say what they see.
struct Sinks {
  Findings& findings;
  Differences& differences;
  Checked& checked;
};

// Each aggregate's events: versions without gaps, an order that can be, and what assistants and runs
// must be in the read tables.
void compare_aggregates(Audit& audit, const Sinks& sinks);

// Each thread's log: places without gaps, frames among them, its lease, and what the thread must be in
// its read table.
void compare_threads(Audit& audit, const Sinks& sinks);

}  // namespace dg::store::audit
