// The frames of a thread's runs, held against its log.
#pragma once

#include "store/audit/thread_log.hpp"

namespace dg::store::audit {

// Each run's frames are numbered from 0 without gaps, lie in the log in that order, and have places of
// their own there. Gives whether each run of the thread still has frames: every run began with one.
bool check_streams(Audit& audit, ThreadLog& log, const Sinks& sinks);

}  // namespace dg::store::audit
