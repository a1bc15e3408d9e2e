#include "store/sqlite/apply.hpp"
#include "store/sqlite/rows.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view upsert_checkpoint =
    "INSERT INTO checkpoints (thread_id, ns, checkpoint_id, parent_id, run_id, metadata_run_id, has_next, "
    "metadata, "
    "channel_versions, type, data, projection) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET parent_id = excluded.parent_id, run_id = excluded.run_id, "
    "metadata_run_id = excluded.metadata_run_id, has_next = excluded.has_next, metadata = excluded.metadata, "
    "channel_versions = excluded.channel_versions, type = excluded.type, data = excluded.data, "
    "projection = excluded.projection";
constexpr std::string_view insert_value =
    "INSERT OR IGNORE INTO checkpoint_values (thread_id, ns, channel, version, type, data) VALUES (?, ?, ?, "
    "?, ?, ?)";
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

constexpr std::string_view copy_parts[] = {
    "INSERT OR IGNORE INTO checkpoint_values (thread_id, ns, channel, version, type, data) "
    "SELECT ?2, ns, channel, version, type, data FROM checkpoint_values WHERE thread_id = ?1",
    "INSERT OR IGNORE INTO checkpoint_writes (thread_id, ns, checkpoint_id, task_id, idx, task_path, "
    "channel, type, "
    "data) SELECT ?2, ns, checkpoint_id, task_id, idx, task_path, channel, type, data FROM checkpoint_writes "
    "WHERE thread_id = ?1",
    "INSERT OR IGNORE INTO checkpoint_tasks (thread_id, ns, checkpoint_id, task_id, patch) "
    "SELECT ?2, ns, checkpoint_id, task_id, patch FROM checkpoint_tasks WHERE thread_id = ?1",
};
// No run of the copy's thread wrote these, so they have no writer.
constexpr std::string_view copy_checkpoint =
    "INSERT OR IGNORE INTO checkpoints (thread_id, ns, checkpoint_id, parent_id, run_id, metadata_run_id, "
    "has_next, "
    "metadata, channel_versions, type, data, projection) "
    "SELECT ?2, ns, checkpoint_id, parent_id, '', metadata_run_id, has_next, ?5, channel_versions, type, "
    "data, "
    "?6 FROM checkpoints WHERE thread_id = ?1 AND ns = ?3 AND checkpoint_id = ?4";
constexpr std::string_view select_documents =
    "SELECT ns, checkpoint_id, metadata, projection FROM checkpoints WHERE thread_id = ? ORDER BY ns, "
    "checkpoint_id";

bool has_next(const std::string& projection) {
  return !json::View(projection)["next"].elements().empty();
}

std::string metadata_for(std::string metadata, const std::string& thread_id) {
  if (!json::View(metadata).find("thread_id")) return metadata;
  json::Writer patch;
  patch.begin_object().key("thread_id").string(thread_id).end_object();
  return json::merge(json::View(metadata), json::View(patch.text()));
}

// The projection with the addresses of its tasks' subgraphs in another thread.
std::string projection_for(std::string projection, const std::string& thread_id) {
  json::Writer place;
  place.begin_object().key("thread_id").string(thread_id).end_object();
  json::Writer tasks;
  tasks.begin_object().key("tasks").begin_array();
  bool changed = false;
  for (const auto task : json::View(projection)["tasks"].elements()) {
    const auto checkpoint = task["checkpoint"];
    if (!checkpoint.is_object()) {
      tasks.raw(task.raw());
      continue;
    }
    json::Writer patch;
    patch.begin_object()
        .key("checkpoint")
        .raw(json::merge(checkpoint, json::View(place.text())))
        .end_object();
    tasks.raw(json::merge(task, json::View(patch.text())));
    changed = true;
  }
  tasks.end_array().end_object();
  return changed ? json::merge(json::View(projection), json::View(tasks.text())) : projection;
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
  execute(context.db, upsert_checkpoint, key.thread_id, key.ns, key.checkpoint_id, c.parent_id, c.run_id,
          json::View(c.metadata)["run_id"].string(), has_next(c.projection), c.metadata, c.channel_versions,
          c.checkpoint.type, Blob{c.checkpoint.data}, c.projection);
  for (const auto& v : c.values)
    execute(context.db, insert_value, key.thread_id, key.ns, v.channel, v.version, v.value.type,
            Blob{v.value.data});
  context.touch(key.thread_id);
  if (key.ns.empty()) context.threads[key.thread_id].state = true;
}

void apply(WriteContext& context, const PutWrites& change) {
  const auto& w = change.writes;
  const auto& key = w.key;
  for (const auto& write : w.writes) {
    const auto statement = write.idx < 0 ? replace_write : insert_write;
    execute(context.db, statement, key.thread_id, key.ns, key.checkpoint_id, w.task_id, write.idx,
            w.task_path, write.channel, write.value.type, Blob{write.value.data});
  }
  put_patch(context.db, w);
}

void apply(WriteContext& context, const CopyCheckpoints& change) {
  for (const auto statement : copy_parts) execute(context.db, statement, change.source, change.target);
  for (Query query(context.db, select_documents, change.source); query.next();) {
    const auto ns = query.text();
    const auto checkpoint_id = query.text();
    const auto metadata = metadata_for(query.text(), change.target);
    execute(context.db, copy_checkpoint, change.source, change.target, ns, checkpoint_id, metadata,
            projection_for(query.text(), change.target));
  }
  context.touch(change.target);
  context.threads[change.target].state = true;
}

}  // namespace dg::store::sqlite
