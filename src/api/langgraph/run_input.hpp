// Reading a run's request.
#pragma once

#include "api/input.hpp"
#include "app/runs.hpp"

namespace dg::api::langgraph {

// The order in a body of runs, runs/stream and runs/wait on a thread. What is wrong is noted in `body`.
app::RunOrder read_run_order(Body& body, std::string_view thread_id);
// The same for a run without a thread, which gets one of its own.
app::RunOrder read_stateless_order(Body& body);

}  // namespace dg::api::langgraph
