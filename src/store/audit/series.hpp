// The parts that large values are put together from.
#pragma once

#include "store/audit/findings.hpp"
#include "store/audit/port.hpp"

namespace dg::store::audit {

// Every part that a value of a checkpoint, state or frame needs is there and whole, and no part is kept that
// none of them needs.
void check_series(Audit& audit, Findings& findings);

}  // namespace dg::store::audit
