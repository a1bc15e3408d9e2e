// Columns that several reads have in common, and how they are read.
#pragma once

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/columns.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/series_values.hpp"
#include "store/queries.hpp"

namespace dg::store::postgres {

// Of the table runs as r.
inline constexpr std::string_view run_columns =
    "r.id, r.thread_id, r.assistant_id, r.graph_id, r.status, r.kwargs, r.metadata, r.created_at, "
    "r.updated_at, "
    "r.not_before, r.lease_epoch, r.attempt, r.worker_id, r.revision, r.cancel, r.has_checkpoint, r.error, "
    "r.error_message, r.resumed_by, r.owner, r.version";
std::vector<domain::Run> read_run_rows(Rows& rows);

// Of the table leases as l.
inline constexpr std::string_view lease_columns =
    "l.owner, l.kind, l.thread_id, l.lease_epoch, l.worker_id, l.applied_n";
inline constexpr int lease_column_count = 6;

// Of the table checkpoints as c, and the patches of its tasks as one JSON object of texts.
inline constexpr std::string_view state_columns =
    "c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id, c.metadata, c.projection, "
    "c.cuts, "
    "(SELECT json_object_agg(k.task_id, k.patch)::text FROM checkpoint_tasks AS k WHERE k.thread_id = "
    "c.thread_id "
    "AND k.checkpoint_ns = c.checkpoint_ns AND k.checkpoint_id = c.checkpoint_id)";

// A state whose large channels are not in it yet.
struct StoredState {
  CheckpointState state;
  std::vector<delta::Cut> cuts;
};
StoredState read_state_row(Rows& row, SeriesValues& wanted);
// Puts the large channels in.
CheckpointState whole_state(StoredState stored, SeriesValues& values);

// Of each id, none of which is there twice, the row that it names.
template <class Row>
std::vector<std::optional<Row>> in_order_of(const std::vector<std::string>& ids, std::vector<Row> rows) {
  std::vector<std::optional<Row>> out(ids.size());
  for (auto& row : rows) {
    const auto place = std::ranges::find(ids, row.id) - ids.begin();
    if (place < std::ssize(out)) out[static_cast<std::size_t>(place)] = std::move(row);
  }
  return out;
}

// A limit or offset, which PostgreSQL refuses below zero.
inline std::int64_t not_negative(std::int64_t number) {
  return number < 0 ? 0 : number;
}
inline void skip(Rows& row, int columns) {
  for (; columns > 0; --columns) row.skip();
}
// Whether a filter asks for nothing.
bool asks_nothing(std::string_view filter);

}  // namespace dg::store::postgres
