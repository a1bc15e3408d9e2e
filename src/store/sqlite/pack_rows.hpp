// Between the rows of a pack and those of the tables.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "store/pack/rows.hpp"
#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

// The columns of each table in the order of its row's, but for the thread and what a pack says otherwise.
template <class Row>
inline constexpr std::string_view packed_columns = "";
template <>
inline constexpr std::string_view packed_columns<pack::CheckpointRow> =
    "ns, checkpoint_id, parent_id, run_id, has_next, metadata_run_id, channel_versions, metadata, type, "
    "data, "
    "projection, cuts";
template <>
inline constexpr std::string_view packed_columns<pack::ValueRow> = "ns, channel, version, type, series, data";
template <>
inline constexpr std::string_view packed_columns<pack::WriteRow> =
    "ns, checkpoint_id, task_id, idx, task_path, channel, type, data";
template <>
inline constexpr std::string_view packed_columns<pack::TaskRow> = "ns, checkpoint_id, task_id, patch";
template <>
inline constexpr std::string_view packed_columns<pack::EventRow> =
    "id, aggregate_id, version, type, payload, metadata, seq, at";
template <>
inline constexpr std::string_view packed_columns<pack::RequestRow> = "run_id, request";

inline void take_column(Query& from, std::string& out) {
  out = from.text();
}
inline void take_column(Query& from, pack::Bytes& out) {
  out.bytes = from.text();
}
inline void take_column(Query& from, std::int64_t& out) {
  out = from.integer();
}

// Reads the columns of the query's current row.
template <class Row>
Row take_row(Query& from) {
  Row row;
  std::apply([&](auto... member) { (take_column(from, row.*member), ...); }, Row::columns());
  return row;
}

// Adds what a statement finds.
template <class Row, class... Values>
void take_rows(Database& db, std::string_view sql, std::vector<Row>& out, const Values&... values) {
  for (Query query(db, sql, values...); query.next();) out.push_back(take_row<Row>(query));
}

inline std::string_view bound(const std::string& column) {
  return column;
}
inline Blob bound(const pack::Bytes& column) {
  return {column.bytes};
}
inline std::int64_t bound(std::int64_t column) {
  return column;
}

// Runs a statement whose parameters are the thread and the row's columns.
template <class Row>
void put_row(Database& db, std::string_view sql, std::string_view thread_id, const Row& row) {
  std::apply([&](auto... member) { execute(db, sql, thread_id, bound(row.*member)...); }, Row::columns());
}

}  // namespace dg::store::sqlite
