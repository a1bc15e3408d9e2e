// The rows that a transaction writes, by table, and how a set of them is written by one statement: each
// column is one parameter, an array.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/env.hpp"
#include "store/pack/rows.hpp"
#include "store/postgres/params.hpp"

namespace dg::store::postgres {

struct EventRow {
  std::string event_id;
  std::string aggregate_type;
  std::string aggregate_id;
  std::int64_t version = 0;
  std::string type;
  std::string payload;
  std::string metadata;
  std::string thread_id;
  std::int64_t seq = 0;
  WallTime at{};

  static constexpr auto columns() {
    using R = EventRow;
    return std::tuple{&R::event_id, &R::aggregate_type, &R::aggregate_id, &R::version, &R::type,
                      &R::payload,  &R::metadata,       &R::thread_id,    &R::seq,     &R::at};
  }
};

// The events of one aggregate in one transaction, for whoever tells others of them.
struct OutboxRow {
  std::int64_t shard = 0;
  std::string aggregate_type;
  std::string aggregate_id;
  std::int64_t first_version = 0;
  std::int64_t last_version = 0;

  static constexpr auto columns() {
    using R = OutboxRow;
    return std::tuple{&R::shard, &R::aggregate_type, &R::aggregate_id, &R::first_version, &R::last_version};
  }
};

// Of 64, the same for ever.
std::int64_t outbox_shard(std::string_view aggregate_id);

struct SegmentRow {
  std::string run_id;
  std::int64_t first_no = 0;
  std::int64_t count = 0;
  std::int64_t first_seq = 0;
  std::int64_t pending = 0;
  pack::Bytes data;
  pack::Bytes cuts;

  static constexpr auto columns() {
    using R = SegmentRow;
    return std::tuple{&R::run_id, &R::first_no, &R::count, &R::first_seq, &R::pending, &R::data, &R::cuts};
  }
};

struct SeriesPartRow {
  std::int64_t series = 0;
  std::int64_t at = 0;
  std::int64_t size = 0;
  pack::Bytes data;

  static constexpr auto columns() {
    using R = SeriesPartRow;
    return std::tuple{&R::series, &R::at, &R::size, &R::data};
  }
};

// A row that a pack would keep, in a table, where it names its thread.
template <class Row>
struct OfThread {
  std::string thread_id;
  Row row;
};

// The parameters of a statement whose columns come in that order.
template <class Row>
Params columns_of(const std::vector<Row>& rows) {
  Params params;
  std::apply([&](auto... member) { (params.add_column(rows, member), ...); }, Row::columns());
  return params;
}
template <class Row>
Params columns_of(const std::vector<OfThread<Row>>& rows) {
  Params params;
  params.add_column(rows, &OfThread<Row>::thread_id);
  const auto add = [&](auto member) {
    params.add_column(rows, [member](const OfThread<Row>& r) -> const auto& { return r.row.*member; });
  };
  std::apply([&](auto... member) { (add(member), ...); }, Row::columns());
  return params;
}

// The rows of a statement whose parameters are its columns: "(SELECT unnest($1) AS a, unnest($2) AS b, ...)".
// The server makes one row after the other, where FROM unnest($1, $2, ...) would first store each column.
std::string rows_of(std::string_view columns);

// "INSERT INTO table (columns)" and such rows, then the rest.
std::string insert_rows(std::string_view table, std::string_view columns, std::string_view rest = "");

// What jsonb can hold of a document, for a column `search`.
Jsonb searchable(const std::string& document);

}  // namespace dg::store::postgres
