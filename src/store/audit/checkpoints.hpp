// Checkpoints and the values that they name.
#pragma once

#include "store/audit/compare.hpp"

namespace dg::store::audit {

// Every value that is stored is named by a checkpoint of its namespace, no checkpoint outlives the run
// that wrote it, and columns that repeat documents say what these say. A channel that is empty at a
// version has no value, so a version that is named without one is no mistake.
void check_checkpoints(Audit& audit, Findings& findings, Checked& checked);

}  // namespace dg::store::audit
