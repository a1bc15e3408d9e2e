// Taking back what a run wrote to tasks of checkpoints that are not its own.
#pragma once

#include <string>

#include "store/records.hpp"
#include "store/sqlite/apply.hpp"

namespace dg::store::sqlite {

// Keeps the task as it is, where these are its run's first writes to it and the checkpoint is another's. Its
// checkpoint is no longer in a pack.
void keep_for_undo(Database& db, const NewWrites& writes);

// Makes every task what it was before the run wrote to it. Where another run wrote to it later, that run's
// writes stay, and its undo leads to before both.
void undo_writes_of(WriteContext& context, const std::string& run_id);

// Forgets what was kept of tasks whose checkpoints are gone; none of the thread's is in a pack.
void forget_undo_of_erased(Database& db, const std::string& thread_id);

}  // namespace dg::store::sqlite
