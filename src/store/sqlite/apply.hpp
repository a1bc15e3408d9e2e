// Applying a commit that was checked. Every function only runs statements: an error sticks to the
// connection, and whoever owns the transaction looks at it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/env.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/series.hpp"
#include "store/store.hpp"

namespace dg::store::sqlite {

struct WriteContext {
  // What a commit did to a thread, for bringing its row up to date at the end.
  struct Touched {
    bool changed = false;  // its log, runs or checkpoints: counts as an update of the thread
    bool state = false;    // a root checkpoint was written
  };

  Database& db;
  SeriesWriter& series;
  const Env& env;
  WallTime now;
  std::string_view event_metadata;
  std::map<std::string, Touched> threads{};
  Committed result{};

  void touch(const std::string& thread_id) { threads[thread_id].changed = true; }
  // Its status may follow from something else now; nothing was added to it.
  void refresh(const std::string& thread_id) { threads.try_emplace(thread_id); }
};

// Applies the whole commit inside the open transaction.
Committed apply(Database& db, SeriesWriter& series, const Env& env, const Commit& commit);

// Gives out the next `count` places of the thread's log and returns the first; `turns` is how much
// its turn grows.
std::int64_t take_places(Database& db, std::string_view thread_id, std::int64_t count, std::int64_t turns);
void apply_condition(WriteContext& context, const Condition& condition);
void apply_append(WriteContext& context, const Append& append);
// Says that the aggregate is gone, so that its id may be created again.
void mark_erased(Database& db, domain::AggregateType type, std::string_view id);
void refresh_thread(WriteContext& context, const std::string& thread_id, WriteContext::Touched touched);

void apply(WriteContext& context, const PutAssistant& change);
void apply(WriteContext& context, const EraseAssistant& change);
void apply(WriteContext& context, const PutThread& change);
void apply(WriteContext& context, const EraseThread& change);
void apply(WriteContext& context, const PutRun& change);
void apply(WriteContext& context, const MarkRunCheckpoint& change);
void apply(WriteContext& context, const EraseRun& change);
void apply(WriteContext& context, const PutLease& change);
void apply(WriteContext& context, const DropLease& change);
void apply(WriteContext& context, const PutCheckpoint& change);
void apply(WriteContext& context, const PutWrites& change);
void apply(WriteContext& context, const CopyCheckpoints& change);
void apply(WriteContext& context, const EraseCheckpoints& change);
void apply(WriteContext& context, const EraseCheckpointsOfRun& change);
void apply(WriteContext& context, const AppendFrames& change);
void apply(WriteContext& context, const EraseFrames& change);
void apply(WriteContext& context, const PutItem& change);
void apply(WriteContext& context, const EraseItem& change);
void apply(WriteContext& context, const PutSession& change);
void apply(WriteContext& context, const DisconnectSession& change);
void apply(WriteContext& context, const EndSession& change);
void apply(WriteContext& context, const EraseSession& change);
void apply(WriteContext& context, const PutGraph& change);
void apply(WriteContext& context, const AddApiKey& change);
void apply(WriteContext& context, const RevokeApiKey& change);
void apply(WriteContext& context, const NoteApiKeyUse& change);

// Rewrites all of the run's segments into as few as their size allows.
void merge_segments(Database& db, std::string_view run_id);
// Removes the checkpoints that the run wrote, with what hangs on them, and takes back what it wrote to
// others.
void erase_checkpoints_of_writer(WriteContext& context, const std::string& run_id);
// Removes the checkpoints of a thread with their values and writes, but not its large values.
void erase_checkpoints_of_thread(Database& db, const std::string& thread_id);
// Removes the large values of a thread.
void erase_series_of_thread(WriteContext& context, const std::string& thread_id);
// Removes what no checkpoint and no frame names of the large values of the namespace.
void collect_series(WriteContext& context, const std::string& thread_id, const std::string& ns);

}  // namespace dg::store::sqlite
