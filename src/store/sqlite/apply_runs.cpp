#include "store/sqlite/apply.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/unpack.hpp"

namespace dg::store::sqlite {
namespace {

// A run that has a checkpoint keeps that through writers who did not know of it.
constexpr std::string_view upsert_run =
    "INSERT INTO runs (id, thread_id, assistant_id, graph_id, state, metadata, created_at, updated_at, "
    "not_before, epoch, attempt, session_id, revision, cancel, has_checkpoint, error, error_message, "
    "resumed_by, resumable, owner, has_frames) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
    "?13, ?14, "
    "?15, ?16, ?17, ?18, ?19, ?20, EXISTS (SELECT 1 FROM segments WHERE run_id = ?1)) "
    "ON CONFLICT (id) DO UPDATE SET thread_id = excluded.thread_id, assistant_id = excluded.assistant_id, "
    "graph_id = excluded.graph_id, state = excluded.state, "
    "metadata = excluded.metadata, updated_at = excluded.updated_at, not_before = excluded.not_before, "
    "epoch = excluded.epoch, attempt = excluded.attempt, session_id = excluded.session_id, "
    "revision = excluded.revision, cancel = excluded.cancel, "
    "has_checkpoint = max(has_checkpoint, excluded.has_checkpoint), error = excluded.error, "
    "error_message = excluded.error_message, resumed_by = excluded.resumed_by, resumable = "
    "excluded.resumable";
constexpr std::string_view upsert_request =
    "INSERT INTO requests (run_id, request) VALUES (?, ?) "
    "ON CONFLICT DO UPDATE SET request = excluded.request WHERE request <> excluded.request";
constexpr std::string_view delete_request = "DELETE FROM requests WHERE run_id = ?";
constexpr std::string_view mark_checkpoint =
    "UPDATE runs SET has_checkpoint = 1 WHERE id = ? AND has_checkpoint = 0";
constexpr std::string_view delete_run = "DELETE FROM runs WHERE id = ? RETURNING thread_id";
constexpr std::string_view upsert_lease =
    "INSERT OR REPLACE INTO leases (owner, kind, thread_id, epoch, session_id, applied_n) VALUES (?, ?, ?, "
    "?, ?, 0)";
constexpr std::string_view select_checkpoint =
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM checkpoints WHERE thread_id = ?1) OR "
    "EXISTS (SELECT 1 FROM packs WHERE thread_id = ?1)";
constexpr std::string_view delete_lease = "DELETE FROM leases WHERE owner = ? RETURNING thread_id";

// Runs a statement that gives the threads it concerned.
void execute_and_refresh(WriteContext& context, std::string_view sql, const std::string& id) {
  for (Query query(context.db, sql, id); query.next();) context.refresh(query.text());
}

}  // namespace

void apply(WriteContext& context, const PutRun& change) {
  const auto& r = change.run;
  unpack_run(context.db, r.id);
  std::optional<std::string_view> error;
  std::optional<std::string_view> message;
  if (r.error) {
    error = r.error->error;
    message = r.error->message;
  }
  execute(context.db, upsert_run, r.id, r.thread_id, r.assistant_id, r.graph_id, to_string(r.state),
          r.metadata, r.created_at, r.updated_at, r.not_before, r.epoch, r.attempt, r.session_id, r.revision,
          to_string(r.cancel), r.has_checkpoint, error, message, r.resumed_by, r.request.stream_resumable,
          r.owner);
  execute(context.db, upsert_request, r.id, r.request.to_json());
  if (is_terminal(r.state)) merge_segments(context.db, r.id);
  context.touch(r.thread_id);
}

void apply(WriteContext& context, const MarkRunCheckpoint& change) {
  execute(context.db, mark_checkpoint, change.run_id);
}

void apply(WriteContext& context, const EraseRun& change) {
  unpack_run(context.db, change.id);
  execute_and_refresh(context, delete_run, change.id);
  execute(context.db, delete_request, change.id);
  execute_and_refresh(context, delete_lease, change.id);
  apply(context, EraseFrames{{change.id}});
  erase_checkpoints_of_writer(context, change.id);
  mark_erased(context.db, domain::AggregateType::run, change.id);
}

void apply(WriteContext& context, const PutLease& change) {
  const auto& l = change.lease;
  execute(context.db, upsert_lease, l.owner, to_text(l.kind), l.thread_id, l.epoch, l.session_id);
  context.result.has_checkpoints.push_back(Query(context.db, select_checkpoint, l.thread_id).next());
  context.refresh(l.thread_id);
}

void apply(WriteContext& context, const DropLease& change) {
  execute_and_refresh(context, delete_lease, change.owner);
}

}  // namespace dg::store::sqlite
