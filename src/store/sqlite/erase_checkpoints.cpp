#include <set>
#include <utility>
#include <vector>

#include "store/sqlite/apply.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/undo.hpp"
#include "store/sqlite/unpack.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view delete_of_thread[] = {
    "DELETE FROM checkpoints WHERE thread_id = ?",       "DELETE FROM checkpoint_values WHERE thread_id = ?",
    "DELETE FROM checkpoint_writes WHERE thread_id = ?", "DELETE FROM checkpoint_tasks WHERE thread_id = ?",
    "DELETE FROM checkpoint_undo WHERE thread_id = ?",
};
constexpr std::string_view delete_of_checkpoint[] = {
    "DELETE FROM checkpoints WHERE thread_id = ? AND ns = ? AND checkpoint_id = ?",
    "DELETE FROM checkpoint_writes WHERE thread_id = ? AND ns = ? AND checkpoint_id = ?",
    "DELETE FROM checkpoint_tasks WHERE thread_id = ? AND ns = ? AND checkpoint_id = ?",
    "DELETE FROM checkpoint_undo WHERE thread_id = ? AND ns = ? AND checkpoint_id = ?",
};
constexpr std::string_view select_older =
    "SELECT thread_id, ns, checkpoint_id FROM checkpoints AS c WHERE thread_id = ? AND checkpoint_id < "
    "(SELECT max(checkpoint_id) FROM checkpoints AS n WHERE n.thread_id = c.thread_id AND n.ns = c.ns)";
constexpr std::string_view select_of_writer =
    "SELECT thread_id, ns, checkpoint_id FROM checkpoints WHERE run_id = ?1 AND run_id <> ''";
constexpr std::string_view select_of_run =
    "SELECT thread_id, ns, checkpoint_id FROM checkpoints WHERE run_id = ?1 AND run_id <> '' "
    "UNION SELECT thread_id, ns, checkpoint_id FROM checkpoints WHERE metadata_run_id = ?1 AND "
    "metadata_run_id <> ''";
constexpr std::string_view select_versions =
    "SELECT channel_versions FROM checkpoints WHERE thread_id = ? AND ns = ?";
constexpr std::string_view select_values =
    "SELECT channel, version FROM checkpoint_values WHERE thread_id = ? AND ns = ?";
constexpr std::string_view select_namespaces = "SELECT DISTINCT ns FROM series WHERE thread_id = ?";
constexpr std::string_view delete_value =
    "DELETE FROM checkpoint_values WHERE thread_id = ? AND ns = ? AND channel = ? AND version = ?";

using ChannelVersion = std::pair<std::string, std::string>;

std::vector<std::string> namespaces_with_series(Database& db, const std::string& thread_id) {
  std::vector<std::string> out;
  for (Query query(db, select_namespaces, thread_id); query.next();) out.push_back(query.text());
  return out;
}

// Removes the values that no checkpoint of the namespace names any more.
void erase_unused_values(Database& db, const std::string& thread_id, const std::string& ns) {
  std::set<ChannelVersion> used;
  for (Query query(db, select_versions, thread_id, ns); query.next();)
    for (auto& entry : channel_versions(query.view())) used.insert(std::move(entry));
  std::vector<ChannelVersion> unused;
  for (Query query(db, select_values, thread_id, ns); query.next();) {
    ChannelVersion entry;
    entry.first = query.text();
    entry.second = query.text();
    if (!used.contains(entry)) unused.push_back(std::move(entry));
  }
  for (const auto& [channel, version] : unused) execute(db, delete_value, thread_id, ns, channel, version);
}

// Removes the checkpoints that the statement finds for `id`, with what only they need.
void erase_selected(WriteContext& context, std::string_view select, const std::string& id) {
  std::vector<CheckpointKey> keys;
  for (Query query(context.db, select, id); query.next();) {
    auto& key = keys.emplace_back();
    key.thread_id = query.text();
    key.ns = query.text();
    key.checkpoint_id = query.text();
  }
  std::set<std::pair<std::string, std::string>> namespaces;
  for (const auto& key : keys) {
    for (const auto statement : delete_of_checkpoint)
      execute(context.db, statement, key.thread_id, key.ns, key.checkpoint_id);
    namespaces.emplace(key.thread_id, key.ns);
  }
  for (const auto& [thread_id, ns] : namespaces) {
    erase_unused_values(context.db, thread_id, ns);
    collect_series(context, thread_id, ns);
    context.refresh(thread_id);
    unpack_newest(context.db, thread_id);
  }
}

void collect_series_of_thread(WriteContext& context, const std::string& thread_id) {
  for (const auto& ns : namespaces_with_series(context.db, thread_id)) collect_series(context, thread_id, ns);
}

}  // namespace

void erase_checkpoints_of_thread(Database& db, const std::string& thread_id) {
  erase_packed_checkpoints(db, thread_id, false);
  for (const auto statement : delete_of_thread) execute(db, statement, thread_id);
}

void apply(WriteContext& context, const EraseCheckpoints& change) {
  if (change.keep_latest) {
    const bool any_packed = erase_packed_checkpoints(context.db, change.thread_id, true);
    erase_selected(context, select_older, change.thread_id);
    if (!any_packed) return context.refresh(change.thread_id);
    forget_undo_of_erased(context.db, change.thread_id);
    collect_series_of_thread(context, change.thread_id);
  } else {
    erase_checkpoints_of_thread(context.db, change.thread_id);
    collect_series_of_thread(context, change.thread_id);
  }
  context.refresh(change.thread_id);
}

void apply(WriteContext& context, const EraseCheckpointsOfRun& change) {
  unpack_checkpoints_of_run(context.db, change.run_id, true);
  erase_selected(context, select_of_run, change.run_id);
}

void erase_checkpoints_of_writer(WriteContext& context, const std::string& run_id) {
  undo_writes_of(context, run_id);
  unpack_checkpoints_of_run(context.db, run_id, false);
  erase_selected(context, select_of_writer, run_id);
}

}  // namespace dg::store::sqlite
