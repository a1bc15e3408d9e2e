// How the audit reads the tables of checkpoints.
#include <tuple>

#include "store/audit/stored_rows.hpp"
#include "store/sqlite/audit_scans.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_newest_states =
    "SELECT thread_id, has_next, max(checkpoint_id) FROM checkpoints WHERE ns = '' GROUP BY thread_id "
    "ORDER BY thread_id";
constexpr std::string_view select_kept =
    "SELECT DISTINCT thread_id, 'checkpoints' AS kept FROM checkpoints "
    "UNION ALL SELECT DISTINCT thread_id, 'checkpoint_values' FROM checkpoint_values "
    "UNION ALL SELECT DISTINCT thread_id, 'checkpoint_writes' FROM checkpoint_writes "
    "UNION ALL SELECT DISTINCT thread_id, 'checkpoint_tasks' FROM checkpoint_tasks "
    "UNION ALL SELECT DISTINCT thread_id, 'packs' FROM packs WHERE last_checkpoint_id <> '' "
    "UNION ALL SELECT DISTINCT thread_id, 'series' FROM series ORDER BY thread_id, kept";
constexpr std::string_view select_checkpoints =
    "SELECT c.thread_id, c.ns, c.checkpoint_id, c.run_id, coalesce(h.erased, 0), c.channel_versions, "
    "c.metadata_run_id, c.metadata, c.has_next, c.projection FROM checkpoints AS c LEFT JOIN heads AS h "
    "ON h.aggregate_id = c.run_id AND h.type = 'run' ORDER BY c.thread_id, c.ns, c.checkpoint_id";
constexpr std::string_view select_values =
    "SELECT thread_id, ns, channel, version FROM checkpoint_values ORDER BY thread_id, ns, channel, version";

}  // namespace

audit::Rows<audit::NewestState> scan_newest_states(Database& db) {
  return scan(db, select_newest_states, audit::read_newest_state<Query>);
}
audit::Rows<audit::KeptState> scan_kept_states(Database& db) {
  return scan(db, select_kept, audit::read_kept<Query>);
}
audit::Rows<audit::StoredCheckpoint> scan_checkpoints(Database& db) {
  return merged(scan(db, select_checkpoints, audit::read_checkpoint_row<Query>), scan_packed_checkpoints(db),
                [](const audit::StoredCheckpoint& c) {
                  return std::tie(c.key.thread_id, c.key.ns, c.key.checkpoint_id);
                });
}
audit::Rows<audit::StoredValue> scan_values(Database& db) {
  return merged(
      scan(db, select_values, audit::read_value_key<Query>), scan_packed_values(db),
      [](const audit::StoredValue& v) { return std::tie(v.thread_id, v.ns, v.version); }, true);
}

}  // namespace dg::store::sqlite
