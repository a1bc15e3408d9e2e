// Checking a whole database.
#pragma once

#include "store/audit/findings.hpp"
#include "store/audit/port.hpp"

namespace dg::store::audit {

struct Verified {
  Findings findings;
  Checked checked;
};

// Runs every check; `limit` findings are kept. An error is one of the reading itself; where the database
// is damaged, that it ended early is a finding too.
Result<Verified> verify(Audit& audit, std::size_t limit);

}  // namespace dg::store::audit
