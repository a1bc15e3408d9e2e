// Who owns a thread, held against its log.
#pragma once

#include "store/audit/thread_log.hpp"

namespace dg::store::audit {

// Whoever the lease names owns the thread, with the epoch and session that its log tells, and nobody runs
// on it without one. A lease whose session is gone is no mistake: the next start takes it back.
void check_lease(const ThreadLog& log, bool thread_erased, const std::optional<Lease>& lease,
                 const Sinks& sinks);

}  // namespace dg::store::audit
