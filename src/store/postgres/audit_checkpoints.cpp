// How the audit reads the tables of checkpoints.
#include "store/audit/stored_rows.hpp"
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

}  // namespace

audit::Rows<audit::NewestState> scan_newest_states(BlockingSession& session) {
  return scan(session, select_newest_states, audit::read_newest_state<Rows>);
}
audit::Rows<audit::KeptState> scan_kept_states(BlockingSession& session) {
  return scan(session, select_kept, audit::read_kept<Rows>);
}
audit::Rows<audit::StoredCheckpoint> scan_checkpoints(BlockingSession& session) {
  return scan(session, select_checkpoints, audit::read_checkpoint_row<Rows>);
}
audit::Rows<audit::StoredValue> scan_values(BlockingSession& session) {
  return scan(session, select_values, audit::read_value_key<Rows>);
}

}  // namespace dg::store::postgres
