// The scans of the audit over one connection.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "store/audit/port.hpp"
#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

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

// Rows that are made some at a time.
template <class T>
class BatchScan : public audit::Scan<T> {
 public:
  const T* next() final {
    if (!waiting_.empty()) waiting_.pop_front();
    while (waiting_.empty() && add_to(waiting_)) {
    }
    return waiting_.empty() ? nullptr : &waiting_.front();
  }

 private:
  // Adds the next ones, if any; false behind the last.
  virtual bool add_to(std::deque<T>& out) = 0;

  std::deque<T> waiting_;
};

// What a table and the packs hold, in the order of keys. `once`: where both have a key, one row is given.
template <class T, class Key>
class MergedScan final : public audit::Scan<T> {
 public:
  MergedScan(audit::Rows<T> rows, audit::Rows<T> packed, Key key, bool once)
      : rows_(std::move(rows)), packed_(std::move(packed)), key_(key), once_(once) {}

  const T* next() override {
    const auto* const row = rows_.peek();
    const auto* const packed = packed_.peek();
    if (row == nullptr && packed == nullptr) return nullptr;
    auto& from = row == nullptr || (packed != nullptr && key_(*packed) < key_(*row)) ? packed_ : rows_;
    row_ = *from.peek();
    from.skip();
    while (once_ && packed_.peek() != nullptr && key_(*packed_.peek()) == key_(row_)) packed_.skip();
    return &row_;
  }

 private:
  audit::Ahead<T> rows_;
  audit::Ahead<T> packed_;
  Key key_;
  bool once_;
  T row_{};
};

template <class T, class Key>
audit::Rows<T> merged(audit::Rows<T> rows, audit::Rows<T> packed, Key key, bool once = false) {
  return std::make_unique<MergedScan<T, Key>>(std::move(rows), std::move(packed), key, once);
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
