// Taking back what a run wrote to the tasks of a checkpoint that another run had written.
#pragma once

#include <set>
#include <string>

#include "store/postgres/connection.hpp"
#include "store/records.hpp"

namespace dg::store::postgres {

// Keeps the task as it is now, before the run's first writes to it; a task that was kept stays as it was
// kept.
Task<Outcome<void>> keep_task(Connection& connection, CheckpointKey key, std::string task_id,
                              std::string run_id);
// Gives every task that was kept for the run back what it was, and the threads concerned. Where a later run
// has written to the task too, what that one is to go back to changes instead.
Task<Outcome<std::set<std::string>>> undo_writes_of(Connection& connection, std::string run_id);

}  // namespace dg::store::postgres
