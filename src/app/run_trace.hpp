// Runs in logs and traces.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/run_meters.hpp"
#include "base/trace.hpp"
#include "domain/run.hpp"

namespace dg::app {

// The id of the trace that the run belongs to, as 32 digits; empty: of none.
std::string_view trace_id_of(const domain::Run& run);

// What a worker's spans of the run's attempt belong to: the attempt's own span where this server records it
// (`traced`), else what the run was created in.
std::optional<TraceContext> context_of_attempt(const domain::Run& run, bool traced);

// The span of an attempt, which `run` has just come out of; nothing where its trace is not recorded.
std::optional<Span> span_of_attempt(const RunMeters::Attempt& attempt, const domain::Run& run);

}  // namespace dg::app
