// The scans of the audit over one session, within its transaction.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "store/audit/port.hpp"
#include "store/postgres/blocking_session.hpp"

namespace dg::store::postgres {

// The rows of a statement, each read by `read` from the columns of the current row.
template <class T>
class CursorScan final : public audit::Scan<T> {
 public:
  using Read = T (*)(Rows& row);

  CursorScan(BlockingSession& session, std::string_view sql, Read read)
      : cursor_(session, sql), read_(read) {}

  const T* next() override {
    if (!cursor_.next()) return nullptr;
    row_ = read_(cursor_.row());
    return &row_;
  }

 private:
  Cursor cursor_;
  Read read_;
  T row_{};
};

template <class T>
audit::Rows<T> scan(BlockingSession& session, std::string_view sql, T (*read)(Rows&)) {
  return std::make_unique<CursorScan<T>>(session, sql, read);
}

// The rows of one owner, $1, by a number, some at a time: those behind the number $2. The statement ends with
// its LIMIT.
template <class T, class Owner>
class PageScan final : public audit::Scan<T> {
 public:
  using Read = T (*)(Rows& row);
  static constexpr int page = 32;

  PageScan(BlockingSession& session, std::string_view sql, Owner owner, Read read, std::int64_t T::* number)
      : session_(session),
        sql_(std::string(sql) + " LIMIT " + std::to_string(page)),
        owner_(std::move(owner)),
        read_(read),
        number_(number) {}

  const T* next() override {
    if (!rows_.next() && (ended_ || !turn())) return nullptr;
    row_ = read_(rows_);
    last_ = row_.*number_;
    return &row_;
  }

 private:
  bool turn() {
    rows_ = {};
    rows_ = session_.run(sql_, Params(owner_, last_));
    ended_ = rows_.size() < page;
    return rows_.next();
  }

  BlockingSession& session_;
  std::string sql_;
  Owner owner_;
  Read read_;
  std::int64_t T::* number_;
  std::int64_t last_ = std::numeric_limits<std::int64_t>::min();
  Rows rows_;
  bool ended_ = false;
  T row_{};
};

template <class T, class Owner>
audit::Rows<T> scan_pages(BlockingSession& session, std::string_view sql, const Owner& owner,
                          T (*read)(Rows&), std::int64_t T::* number) {
  return std::make_unique<PageScan<T, Owner>>(session, sql, owner, read, number);
}

// Those of the read tables.
audit::Rows<audit::ReadRow> scan_read_rows(BlockingSession& session, audit::ReadTable table);

// Those of checkpoints and their values.
audit::Rows<audit::NewestState> scan_newest_states(BlockingSession& session);
audit::Rows<audit::KeptState> scan_kept_states(BlockingSession& session);
audit::Rows<audit::StoredCheckpoint> scan_checkpoints(BlockingSession& session);
audit::Rows<audit::StoredValue> scan_values(BlockingSession& session);

// Those of the parts of large values.
audit::Rows<audit::StoredSeries> scan_series(BlockingSession& session, const std::string& thread_id);
audit::Rows<audit::StoredPart> scan_parts(BlockingSession& session, std::int64_t series);
audit::Rows<audit::SeriesUse> scan_uses(BlockingSession& session, const std::string& thread_id);
audit::Rows<std::int64_t> scan_series_without_row(BlockingSession& session);

// What is wrong with the schema beneath: indexes that are missing or not to be used.
std::vector<std::string> damaged_indexes(BlockingSession& session, std::size_t limit);

// A row of a read table, as it is put into it and erased from it.
void put_read_row(BlockingSession& session, audit::ReadTable table, const audit::ReadRow& row);
void erase_read_row(BlockingSession& session, audit::ReadTable table, const audit::ReadRow& row);

}  // namespace dg::store::postgres
