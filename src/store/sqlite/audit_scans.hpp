// The scans of the audit over one connection.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "store/audit/port.hpp"
#include "store/audit/scans.hpp"
#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

using audit::BatchScan;
using audit::merged;

// The rows of a statement, each read by `read` from the columns of the query's current row.
template <class T>
class QueryScan final : public audit::Scan<T> {
 public:
  using Read = T (*)(Query& row);

  template <class... Values>
  QueryScan(Database& db, std::string_view sql, Read read, const Values&... values)
      : query_(db, sql, values...), read_(read) {}

  const T* next() override {
    if (!query_.next()) return nullptr;
    row_ = read_(query_);
    return &row_;
  }

 private:
  Query query_;
  Read read_;
  T row_{};
};

template <class T, class... Values>
audit::Rows<T> scan(Database& db, std::string_view sql, T (*read)(Query&), const Values&... values) {
  return std::make_unique<QueryScan<T>>(db, sql, read, values...);
}

// Those of packs.
audit::Rows<audit::StoredPack> scan_packs(Database& db);
audit::Rows<audit::StoredEvent> scan_packed_events(Database& db);            // by run and version
audit::Rows<audit::StoredEvent> scan_packed_logs(Database& db);              // by thread and seq
audit::Rows<audit::StoredCheckpoint> scan_packed_checkpoints(Database& db);  // by thread, namespace and id
audit::Rows<audit::StoredValue> scan_packed_values(
    Database& db);  // by thread, namespace, channel and version
// The rows of runs with their requests.
audit::Rows<audit::ReadRow> with_requests(Database& db, audit::Rows<audit::ReadRow> runs);

// Those of checkpoints and their values.
audit::Rows<audit::NewestState> scan_newest_states(Database& db);
audit::Rows<audit::KeptState> scan_kept_states(Database& db);
audit::Rows<audit::StoredCheckpoint> scan_checkpoints(Database& db);
audit::Rows<audit::StoredValue> scan_values(Database& db);

// Those of the parts of large values.
audit::Rows<audit::StoredSeries> scan_series(Database& db, const std::string& thread_id);
audit::Rows<audit::StoredPart> scan_parts(Database& db, std::int64_t series);
audit::Rows<audit::SeriesUse> scan_uses(Database& db, const std::string& thread_id);
audit::Rows<std::int64_t> scan_series_without_row(Database& db);

}  // namespace dg::store::sqlite
