// Writing read tables anew from events, checkpoints and leases.
#pragma once

#include <map>

#include "store/audit/findings.hpp"
#include "store/audit/port.hpp"

namespace dg::store::audit {

struct Rebuilt {
  struct Counts {
    std::int64_t added = 0;
    std::int64_t changed = 0;
    std::int64_t removed = 0;
  };
  std::map<ReadTable, Counts> tables{};
  Checked checked{};
  // What is wrong with events and logs. Rows of aggregates whose events cannot be read stay as they are.
  Findings findings;
};

// What a rebuild would change.
Result<Rebuilt> plan_rebuild(Audit& audit, std::size_t limit);
// Changes it, in one commit.
Result<Rebuilt> rebuild(Rebuilding& rebuilding, std::size_t limit);

}  // namespace dg::store::audit
