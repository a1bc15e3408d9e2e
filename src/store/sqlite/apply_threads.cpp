#include "store/sqlite/apply.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/unpack.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view upsert_assistant =
    "INSERT INTO assistants (id, graph_id, name, description, config, context, metadata, number, "
    "newest_number, "
    "created_at, updated_at, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET graph_id = excluded.graph_id, name = excluded.name, "
    "description = excluded.description, config = excluded.config, context = excluded.context, "
    "metadata = excluded.metadata, number = excluded.number, newest_number = excluded.newest_number, "
    "updated_at = excluded.updated_at";
constexpr std::string_view upsert_assistant_version =
    "INSERT OR REPLACE INTO assistant_versions (assistant_id, number, graph_id, name, description, config, "
    "context, "
    "metadata, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view delete_assistant = "DELETE FROM assistants WHERE id = ?";
constexpr std::string_view delete_assistant_versions =
    "DELETE FROM assistant_versions WHERE assistant_id = ?";

constexpr std::string_view upsert_thread =
    "INSERT INTO threads (id, metadata, config, created_at, updated_at, state_updated_at, temporary, owner) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?6, ?7) "
    "ON CONFLICT DO UPDATE SET metadata = excluded.metadata, config = excluded.config, "
    "updated_at = max(updated_at, excluded.updated_at)";
// ?1 thread, ?2 now, ?3 whether it changed, ?4 whether a root checkpoint was written
constexpr std::string_view refresh =
    "UPDATE threads SET status = CASE "
    "WHEN EXISTS (SELECT 1 FROM runs WHERE thread_id = ?1 AND state IN ('queued', 'in_progress', "
    "'requires_action') "
    "AND state <> 'requires_action') THEN 'busy' "
    "WHEN EXISTS (SELECT 1 FROM leases WHERE thread_id = ?1 AND kind = 'operation') THEN 'busy' "
    "WHEN (SELECT state IN ('failed', 'timed_out') FROM runs WHERE thread_id = ?1 ORDER BY id DESC LIMIT 1) "
    "THEN 'error' "
    "WHEN (SELECT has_next FROM checkpoints WHERE thread_id = ?1 AND ns = '' ORDER BY checkpoint_id DESC "
    "LIMIT 1) "
    "THEN 'interrupted' ELSE 'idle' END, "
    "error = (SELECT CASE WHEN state IN ('failed', 'timed_out') THEN error END "
    "FROM runs WHERE thread_id = ?1 ORDER BY id DESC LIMIT 1), "
    "error_message = (SELECT CASE WHEN state IN ('failed', 'timed_out') THEN error_message END "
    "FROM runs WHERE thread_id = ?1 ORDER BY id DESC LIMIT 1), "
    "updated_at = CASE WHEN ?3 THEN max(updated_at, ?2) ELSE updated_at END, "
    "state_updated_at = CASE WHEN ?4 THEN max(state_updated_at, ?2) ELSE state_updated_at END "
    "WHERE id = ?1";

constexpr std::string_view mark_runs_erased =
    "UPDATE heads SET erased = 1 WHERE type = 'run' AND aggregate_id IN (SELECT id FROM runs WHERE thread_id "
    "= ?)";
constexpr std::string_view delete_segments =
    "DELETE FROM segments WHERE run_id IN (SELECT id FROM runs WHERE thread_id = ?)";
constexpr std::string_view delete_of_thread[] = {
    "DELETE FROM requests WHERE run_id IN (SELECT id FROM runs WHERE thread_id = ?)",
    "DELETE FROM runs WHERE thread_id = ?",
    "DELETE FROM leases WHERE thread_id = ?",
    "DELETE FROM threads WHERE id = ?",
};

}  // namespace

void apply(WriteContext& context, const PutAssistant& change) {
  const auto& a = change.assistant;
  const auto& c = a.content;
  execute(context.db, upsert_assistant, a.id, c.graph_id, c.name, c.description, c.config, c.context,
          c.metadata, a.number, a.newest_number, a.created_at, a.updated_at, a.owner);
  if (!change.new_version) return;
  execute(context.db, upsert_assistant_version, a.id, a.number, c.graph_id, c.name, c.description, c.config,
          c.context, c.metadata, a.updated_at);
}

void apply(WriteContext& context, const EraseAssistant& change) {
  execute(context.db, delete_assistant, change.id);
  execute(context.db, delete_assistant_versions, change.id);
  mark_erased(context.db, domain::AggregateType::assistant, change.id);
}

void apply(WriteContext& context, const PutThread& change) {
  const auto& t = change.thread;
  execute(context.db, upsert_thread, t.id, t.metadata, t.config, t.created_at, t.updated_at, t.temporary,
          t.owner);
  context.refresh(t.id);
}

void apply(WriteContext& context, const EraseThread& change) {
  execute(context.db, mark_runs_erased, change.id);
  execute(context.db, delete_segments, change.id);
  for (const auto statement : delete_of_thread) execute(context.db, statement, change.id);
  drop_damaged_packs(context.db, change.id);
  erase_checkpoints_of_thread(context.db, change.id);
  erase_series_of_thread(context, change.id);
  mark_erased(context.db, domain::AggregateType::thread, change.id);
}

void refresh_thread(WriteContext& context, const std::string& thread_id, WriteContext::Touched touched) {
  execute(context.db, refresh, thread_id, context.now, touched.changed, touched.state);
}

}  // namespace dg::store::sqlite
