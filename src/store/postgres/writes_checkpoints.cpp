// What a transaction writes of checkpoints, and of the logs of their large values.
#include <algorithm>

#include "store/postgres/taken.hpp"
#include "store/postgres/writes.hpp"

namespace dg::store::postgres {
namespace {

const std::string upsert_checkpoints = insert_rows(
    "checkpoints",
    "thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, run_id, has_next, metadata_run_id, "
    "channel_versions, metadata, type, checkpoint, projection, cuts",
    "ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET "
    "parent_checkpoint_id = excluded.parent_checkpoint_id, run_id = excluded.run_id, has_next = "
    "excluded.has_next, "
    "metadata_run_id = excluded.metadata_run_id, channel_versions = excluded.channel_versions, "
    "metadata = excluded.metadata, type = excluded.type, checkpoint = excluded.checkpoint, "
    "projection = excluded.projection, cuts = excluded.cuts");
const std::string insert_values =
    insert_rows("checkpoint_values", "thread_id, checkpoint_ns, channel, version, type, series, blob",
                "ON CONFLICT DO NOTHING");
constexpr std::string_view write_columns =
    "thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, blob";
const std::string insert_writes = insert_rows("checkpoint_writes", write_columns, "ON CONFLICT DO NOTHING");
const std::string upsert_writes =
    insert_rows("checkpoint_writes", write_columns,
                "ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET "
                "task_path = excluded.task_path, channel = excluded.channel, type = excluded.type, "
                "blob = excluded.blob");
const std::string upsert_tasks = insert_rows(
    "checkpoint_tasks", "thread_id, checkpoint_ns, checkpoint_id, task_id, patch",
    "ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id) DO UPDATE SET patch = excluded.patch");
const std::string insert_parts = insert_rows("checkpoint_series_parts", "series, at, size, data");
constexpr std::string_view delete_parts =
    "DELETE FROM checkpoint_series_parts AS p USING unnest($1, $2) AS w (series, at) WHERE p.series = "
    "w.series "
    "AND p.at = w.at";
const std::string upsert_series = insert_rows(
    "checkpoint_series", "id, thread_id, checkpoint_ns, channel, kind, size, pending, loose, newest",
    "ON CONFLICT (id) DO UPDATE SET size = excluded.size, pending = excluded.pending, loose = "
    "excluded.loose, "
    "newest = excluded.newest");

}  // namespace

void Writes::take_checkpoints(Pipeline& pipeline) {
  if (!checkpoints.empty()) pipeline.add_prepared(upsert_checkpoints, columns_of(values_of(checkpoints)));
  if (!values.empty()) pipeline.add_prepared(insert_values, columns_of(taken(values)));
  if (!writes.empty()) {
    auto once = values_of(writes);
    const auto from = std::ranges::partition(once, [](const auto& row) { return row.row.idx >= 0; });
    const std::vector<OfThread<pack::WriteRow>> replacing(std::make_move_iterator(from.begin()),
                                                          std::make_move_iterator(from.end()));
    once.erase(from.begin(), from.end());
    if (!once.empty()) pipeline.add_prepared(insert_writes, columns_of(once));
    if (!replacing.empty()) pipeline.add_prepared(upsert_writes, columns_of(replacing));
  }
  if (!tasks.empty()) pipeline.add_prepared(upsert_tasks, columns_of(values_of(tasks)));
}

void Writes::take_series(Pipeline& pipeline) {
  if (!erased_parts.empty()) {
    const auto merged = taken(erased_parts);
    pipeline.add_prepared(delete_parts,
                          Params().add_column(merged, &PartKey::series).add_column(merged, &PartKey::at));
  }
  if (!series_parts.empty()) pipeline.add_prepared(insert_parts, columns_of(taken(series_parts)));
  if (series.empty()) return;
  using Entry = std::pair<const delta::SeriesKey, const delta::Series*>;
  const auto rows = std::exchange(series, {});
  const auto key = [](auto member) {
    return [member](const Entry& e) -> const auto& { return e.first.*member; };
  };
  using K = delta::SeriesKey;
  pipeline.add_prepared(
      upsert_series,
      Params()
          .add_column(rows, [](const Entry& e) { return e.second->id; })
          .add_column(rows, key(&K::thread_id))
          .add_column(rows, key(&K::ns))
          .add_column(rows, key(&K::channel))
          .add_column(rows, [](const Entry& e) { return std::string(to_text(e.first.kind)); })
          .add_column(rows, [](const Entry& e) { return static_cast<std::int64_t>(e.second->size); })
          .add_column(rows, [](const Entry& e) { return e.second->pending; })
          .add_column(rows, [](const Entry& e) { return std::int64_t{std::to_underlying(e.second->loose)}; })
          .add_column(rows, [](const Entry& e) { return pack::Bytes{e.second->newest.recipe.encode()}; }));
}

}  // namespace dg::store::postgres
