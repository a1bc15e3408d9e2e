// Following a run to its end, and saying how it ended.
#pragma once

#include <chrono>
#include <string>

#include "cli/client/run_request.hpp"
#include "cli/client/session.hpp"

namespace dg::cli {

// Creates the run and prints its ids, or with `watch` shows it until it ends. Without a thread it is on one
// of its own, which goes some time after the run.
Result<ExitCode> start_run(Session& session, const std::string& thread_id, const RunBody& body, bool watch);

// Shows a run from its first frame until it ends.
Result<ExitCode> watch_run(Session& session, const std::string& run_id);

// Waits for a run's end and prints its result. timeout after `limit`; zero for no limit.
Result<ExitCode> wait_run(Session& session, const std::string& run_id, std::chrono::milliseconds limit);

// The exit code of a run as it stands now: ok, failed, timeout, awaiting_human. Says in words how it
// ended, and what to do next where somebody can: to answer, to go on from a breakpoint, to try again.
Result<ExitCode> report_end(Session& session, const std::string& run_id);

// Says what a run that waits for a person asks, or where it has stopped, and the command that goes on.
// `reason` is that of its Api::why.
void note_pause(Session& session, json::View reason);

}  // namespace dg::cli
