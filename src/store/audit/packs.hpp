// Whether packs can be read, and are found by what they hold.
#pragma once

#include "store/audit/port.hpp"

namespace dg::store::audit {

void check_packs(Audit& audit, Findings& findings);
// Errc::internal where one cannot be read, and so nobody knows what its rows were.
Status require_whole_packs(Audit& audit);

}  // namespace dg::store::audit
