// How the audit reads the tables of checkpoints.
#include <tuple>

#include "store/sqlite/audit_scans.hpp"
#include "store/sqlite/rows.hpp"

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

audit::NewestState read_newest_state(Query& row) {
  audit::NewestState out;
  out.thread_id = row.text();
  out.has_next = row.flag();
  return out;
}

audit::KeptState read_kept(Query& row) {
  audit::KeptState out;
  out.thread_id = row.text();
  out.table = row.text();
  return out;
}

audit::StoredCheckpoint read_checkpoint_row(Query& row) {
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

audit::StoredValue read_value_key(Query& row) {
  audit::StoredValue out;
  out.thread_id = row.text();
  out.ns = row.text();
  out.version.first = row.text();
  out.version.second = row.text();
  return out;
}

}  // namespace

audit::Rows<audit::NewestState> scan_newest_states(Database& db) {
  return scan(db, select_newest_states, read_newest_state);
}
audit::Rows<audit::KeptState> scan_kept_states(Database& db) {
  return scan(db, select_kept, read_kept);
}
audit::Rows<audit::StoredCheckpoint> scan_checkpoints(Database& db) {
  return merged(scan(db, select_checkpoints, read_checkpoint_row), scan_packed_checkpoints(db),
                [](const audit::StoredCheckpoint& c) {
                  return std::tie(c.key.thread_id, c.key.ns, c.key.checkpoint_id);
                });
}
audit::Rows<audit::StoredValue> scan_values(Database& db) {
  return merged(
      scan(db, select_values, read_value_key), scan_packed_values(db),
      [](const audit::StoredValue& v) { return std::tie(v.thread_id, v.ns, v.version); }, true);
}

}  // namespace dg::store::sqlite
