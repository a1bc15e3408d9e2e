#include "store/documents.hpp"
#include "store/sqlite/apply.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/undo.hpp"
#include "store/sqlite/unpack.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view upsert_checkpoint =
    "INSERT INTO checkpoints (thread_id, ns, checkpoint_id, parent_id, run_id, metadata_run_id, has_next, "
    "metadata, "
    "channel_versions, type, data, projection, cuts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET parent_id = excluded.parent_id, run_id = excluded.run_id, "
    "metadata_run_id = excluded.metadata_run_id, has_next = excluded.has_next, metadata = excluded.metadata, "
    "channel_versions = excluded.channel_versions, type = excluded.type, data = excluded.data, "
    "projection = excluded.projection, cuts = excluded.cuts";
constexpr std::string_view select_cuts =
    "SELECT cuts FROM checkpoints WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? AND length(cuts) > 0";
constexpr std::string_view has_value =
    "SELECT 1 FROM checkpoint_values WHERE thread_id = ? AND ns = ? AND channel = ? AND version = ?";
constexpr std::string_view insert_value =
    "INSERT OR IGNORE INTO checkpoint_values (thread_id, ns, channel, version, type, series, data) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view insert_write =
    "INSERT OR IGNORE INTO checkpoint_writes (thread_id, ns, checkpoint_id, task_id, idx, task_path, "
    "channel, type, "
    "data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view replace_write =
    "INSERT OR REPLACE INTO checkpoint_writes (thread_id, ns, checkpoint_id, task_id, idx, task_path, "
    "channel, type, "
    "data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view select_patch =
    "SELECT patch FROM checkpoint_tasks WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? AND task_id = ?";
constexpr std::string_view replace_patch =
    "INSERT OR REPLACE INTO checkpoint_tasks (thread_id, ns, checkpoint_id, task_id, patch) VALUES (?, ?, ?, "
    "?, ?)";

// The projection without the large channels of its values.
delta::CutDocument cut_projection(WriteContext& context, const NewCheckpoint& c) {
  if (c.projection.size() < delta::smallest_cut) return {c.projection, {}};
  const auto keep = [&](const std::string& channel, std::string_view value) {
    return context.series.add({c.key.thread_id, c.key.ns, channel, SeriesKind::json}, value,
                              NamedBy::checkpoint);
  };
  return delta::cut(c.projection, json::View(c.projection)["values"], keep);
}

// Whether the checkpoint is there already and names other large values than these.
bool names_others(Database& db, const CheckpointKey& key, std::string_view cuts) {
  Query query(db, select_cuts, key.thread_id, key.ns, key.checkpoint_id);
  return query.next() && query.view() != cuts;
}

void put_value(WriteContext& context, const CheckpointKey& key, const ChannelValue& v) {
  const auto& data = v.value.data;
  std::int64_t series = 0;
  std::string recipe;
  if (data.size() >= delta::smallest_cut) {
    if (Query query(context.db, has_value, key.thread_id, key.ns, v.channel, v.version); query.next()) return;
    auto ref =
        context.series.add({key.thread_id, key.ns, v.channel, SeriesKind::blob}, data, NamedBy::checkpoint);
    series = ref.series;
    recipe = std::move(ref.recipe);
  }
  execute(context.db, insert_value, key.thread_id, key.ns, v.channel, v.version, v.value.type, series,
          Blob{series == 0 ? data : recipe});
}

void put_patch(Database& db, const NewWrites& w) {
  if (!json::View(w.task_patch).is_object()) return;
  std::string patch = w.task_patch;
  const auto& key = w.key;
  if (Query query(db, select_patch, key.thread_id, key.ns, key.checkpoint_id, w.task_id); query.next())
    patch = json::merge(json::View(query.view()), json::View(w.task_patch));
  execute(db, replace_patch, key.thread_id, key.ns, key.checkpoint_id, w.task_id, patch);
}

}  // namespace

void apply(WriteContext& context, const PutCheckpoint& change) {
  const auto& c = change.checkpoint;
  const auto& key = c.key;
  unpack_before(context.db, c);
  const auto projection = cut_projection(context, c);
  std::string cuts;
  if (!projection.cuts.empty()) delta::put_cuts(cuts, projection.cuts);
  const bool frees = names_others(context.db, key, cuts);
  execute(context.db, upsert_checkpoint, key.thread_id, key.ns, key.checkpoint_id, c.parent_id, c.run_id,
          json::View(c.metadata)["run_id"].string(), has_next(projection.text), c.metadata,
          c.channel_versions, c.checkpoint.type, Blob{c.checkpoint.data}, projection.text, Blob{cuts});
  for (const auto& value : c.values) put_value(context, key, value);
  if (frees) collect_series(context, key.thread_id, key.ns);
  context.touch(key.thread_id);
  if (key.ns.empty()) context.threads[key.thread_id].state = true;
}

void apply(WriteContext& context, const PutWrites& change) {
  const auto& w = change.writes;
  const auto& key = w.key;
  unpack_checkpoint(context.db, key);
  keep_for_undo(context.db, w);
  for (const auto& write : w.writes) {
    const auto statement = write.idx < 0 ? replace_write : insert_write;
    execute(context.db, statement, key.thread_id, key.ns, key.checkpoint_id, w.task_id, write.idx,
            w.task_path, write.channel, write.value.type, Blob{write.value.data});
  }
  put_patch(context.db, w);
}

}  // namespace dg::store::sqlite
