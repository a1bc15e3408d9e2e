// How the audit reads the tables of checkpoints.
#include "base/json.hpp"
#include "store/documents.hpp"
#include "store/postgres/audit_scans.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view select_newest_states =
    "SELECT DISTINCT ON (thread_id) thread_id, has_next <> 0 FROM checkpoints WHERE checkpoint_ns = '' "
    "ORDER BY thread_id, checkpoint_id DESC";
constexpr std::string_view select_kept =
    "SELECT DISTINCT thread_id, 'checkpoints' AS kept FROM checkpoints "
    "UNION ALL SELECT DISTINCT thread_id, 'checkpoint_values' FROM checkpoint_values "
    "UNION ALL SELECT DISTINCT thread_id, 'checkpoint_writes' FROM checkpoint_writes "
    "UNION ALL SELECT DISTINCT thread_id, 'checkpoint_tasks' FROM checkpoint_tasks "
    "UNION ALL SELECT DISTINCT thread_id, 'checkpoint_undo' FROM checkpoint_undo "
    "UNION ALL SELECT DISTINCT thread_id, 'checkpoint_series' FROM checkpoint_series "
    "ORDER BY thread_id, kept";
constexpr std::string_view select_checkpoints =
    "SELECT c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.run_id, coalesce(h.erased, false), "
    "c.channel_versions, c.metadata_run_id, c.metadata, c.has_next <> 0, c.projection FROM checkpoints AS c "
    "LEFT JOIN event_streams AS h ON h.aggregate_id = c.run_id AND h.aggregate_type = 'run' "
    "ORDER BY c.thread_id, c.checkpoint_ns, c.checkpoint_id";
constexpr std::string_view select_values =
    "SELECT thread_id, checkpoint_ns, channel, version FROM checkpoint_values "
    "ORDER BY thread_id, checkpoint_ns, channel, version";

audit::NewestState read_newest_state(Rows& row) {
  audit::NewestState out;
  out.thread_id = row.text();
  out.has_next = row.flag();
  return out;
}

audit::KeptState read_kept(Rows& row) {
  audit::KeptState out;
  out.thread_id = row.text();
  out.table = row.text();
  return out;
}

audit::StoredCheckpoint read_checkpoint_row(Rows& row) {
  audit::StoredCheckpoint out;
  out.key.thread_id = row.text();
  out.key.ns = row.text();
  out.key.checkpoint_id = row.text();
  out.run_id = row.text();
  out.writer_erased = row.flag();
  out.versions = channel_versions(row.view());
  const auto metadata_run_id = row.text();
  if (json::View(row.view())["run_id"].string() != metadata_run_id)
    out.wrong_columns.emplace_back("metadata_run_id");
  const bool has_next = row.flag();
  if (!json::View(row.view())["next"].elements().empty() != has_next)
    out.wrong_columns.emplace_back("has_next");
  return out;
}

audit::StoredValue read_value_key(Rows& row) {
  audit::StoredValue out;
  out.thread_id = row.text();
  out.ns = row.text();
  out.version.first = row.text();
  out.version.second = row.text();
  return out;
}

}  // namespace

audit::Rows<audit::NewestState> scan_newest_states(BlockingSession& session) {
  return scan(session, select_newest_states, read_newest_state);
}
audit::Rows<audit::KeptState> scan_kept_states(BlockingSession& session) {
  return scan(session, select_kept, read_kept);
}
audit::Rows<audit::StoredCheckpoint> scan_checkpoints(BlockingSession& session) {
  return scan(session, select_checkpoints, read_checkpoint_row);
}
audit::Rows<audit::StoredValue> scan_values(BlockingSession& session) {
  return scan(session, select_values, read_value_key);
}

}  // namespace dg::store::postgres
