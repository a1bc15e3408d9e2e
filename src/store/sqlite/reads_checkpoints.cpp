#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "store/documents.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/series.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_newest =
    "SELECT checkpoint_id FROM checkpoints WHERE thread_id = ? AND ns = ? ORDER BY checkpoint_id DESC LIMIT "
    "1";
constexpr std::string_view select_tuple =
    "SELECT parent_id, type, data, metadata, channel_versions FROM checkpoints "
    "WHERE thread_id = ? AND ns = ? AND checkpoint_id = ?";
constexpr std::string_view select_place =
    "SELECT parent_id, channel_versions FROM checkpoints WHERE thread_id = ? AND ns = ? AND checkpoint_id = "
    "?";
constexpr std::string_view select_projection =
    "SELECT parent_id, metadata, projection, cuts FROM checkpoints WHERE thread_id = ? AND ns = ? AND "
    "checkpoint_id = ?";
constexpr std::string_view select_patches =
    "SELECT task_id, patch FROM checkpoint_tasks WHERE thread_id = ? AND ns = ? AND checkpoint_id = ?";
constexpr std::string_view select_value =
    "SELECT type, series, data FROM checkpoint_values WHERE thread_id = ? AND ns = ? AND channel = ? AND "
    "version = ?";
const std::string select_writes = fmt::format(
    "SELECT {} FROM checkpoint_writes WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? "
    "ORDER BY task_path, task_id, idx",
    write_columns);
const std::string select_writes_of_channel = fmt::format(
    "SELECT {} FROM checkpoint_writes WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? "
    "AND channel = ? ORDER BY task_path, task_id, idx",
    write_columns);

// The keys of a list are found and ordered first, without the large columns. ?1 an exact id, ?2 the
// bound above, ?3 the thread, ?4 the namespace.
constexpr std::string_view list_head =
    "SELECT thread_id, ns, checkpoint_id, metadata FROM checkpoints WHERE ";
constexpr std::string_view list_tail =
    "(?1 = '' OR checkpoint_id = ?1) AND (?2 = '' OR checkpoint_id < ?2) ORDER BY checkpoint_id DESC";
const std::string list_all =
    fmt::format("{}(?3 IS NULL) AND (?4 IS NULL OR ns = ?4) AND {}", list_head, list_tail);
const std::string list_thread = fmt::format("{}thread_id = ?3 AND (?4 IS NULL) AND {}", list_head, list_tail);
const std::string list_namespace = fmt::format("{}thread_id = ?3 AND ns = ?4 AND {}", list_head, list_tail);

std::vector<CheckpointKey> list_keys(Database& db, const CheckpointFilter& filter) {
  const auto& sql = !filter.thread_id ? list_all : filter.ns ? list_namespace : list_thread;
  std::vector<CheckpointKey> keys;
  const auto full = [&] { return filter.limit > 0 && std::ssize(keys) >= filter.limit; };
  Query query(db, sql, filter.checkpoint_id, filter.before, filter.thread_id, filter.ns);
  while (!full() && query.next()) {
    CheckpointKey key;
    key.thread_id = query.text();
    key.ns = query.text();
    key.checkpoint_id = query.text();
    if (json::contains(json::View(query.view()), json::View(filter.metadata))) keys.push_back(std::move(key));
  }
  return keys;
}

std::optional<TypedBlob> read_value(Database& db, const CheckpointKey& key, const std::string& channel,
                                    const std::string& version) {
  Query query(db, select_value, key.thread_id, key.ns, channel, version);
  if (!query.next()) return std::nullopt;
  TypedBlob value;
  value.type = query.text();
  const auto series = query.integer();
  value.data = series == 0 ? query.text() : read_series_value(db, {series, query.text()});
  return value;
}

// The projection with the large channels of its values.
std::string whole_projection(Database& db, std::string projection, std::string_view stored_cuts) {
  std::vector<delta::Cut> cuts;
  if (stored_cuts.empty() || !delta::take_cuts(stored_cuts, cuts)) return projection;
  return delta::restore(projection, json::View(projection)["values"], cuts,
                        [&](const delta::Ref& ref) { return read_series_value(db, ref); });
}

// Walks from a checkpoint to its ancestors and gathers, for each channel that has not met a stored
// value yet, the writes on the way.
class HistoryWalk {
 public:
  HistoryWalk(Database& db, CheckpointKey key, const std::vector<std::string>& channels)
      : db_(db), key_(std::move(key)), open_(channels.begin(), channels.end()) {
    for (const auto& channel : channels) out_.push_back({channel, {}, std::nullopt});
  }

  std::vector<ChannelHistory> run() {
    std::string parent;
    if (Query query(db_, select_place, key_.thread_id, key_.ns, key_.checkpoint_id); query.next())
      parent = query.text();
    std::set<std::string> seen{key_.checkpoint_id};
    while (!parent.empty() && !open_.empty() && seen.insert(parent).second) {
      key_.checkpoint_id = parent;
      Query query(db_, select_place, key_.thread_id, key_.ns, key_.checkpoint_id);
      if (!query.next()) break;
      parent = query.text();
      visit(query.view());
    }
    for (auto& history : out_) std::ranges::reverse(history.writes);
    return std::move(out_);
  }

 private:
  void visit(std::string_view versions) {
    std::map<std::string, std::string> version_of;
    for (auto& entry : channel_versions(versions)) version_of.insert(std::move(entry));
    for (auto& history : out_) {
      if (!open_.contains(history.channel)) continue;
      collect_writes(history);
      const auto version = version_of.find(history.channel);
      if (version == version_of.end()) continue;
      history.seed = read_value(db_, key_, history.channel, version->second);
    }
    for (const auto& history : out_)
      if (history.seed) open_.erase(history.channel);
  }

  // Newest first, as the walk goes; turned round at its end.
  void collect_writes(ChannelHistory& history) {
    std::vector<StoredWrite> writes;
    Query query(db_, select_writes_of_channel, key_.thread_id, key_.ns, key_.checkpoint_id, history.channel);
    while (query.next()) writes.push_back(read_write(query));
    history.writes.insert(history.writes.end(), std::make_move_iterator(writes.rbegin()),
                          std::make_move_iterator(writes.rend()));
  }

  Database& db_;
  CheckpointKey key_;
  std::set<std::string> open_;
  std::vector<ChannelHistory> out_;
};

}  // namespace

std::optional<CheckpointKey> resolve(Database& db, const CheckpointKey& key) {
  if (!key.checkpoint_id.empty()) return key;
  Query query(db, select_newest, key.thread_id, key.ns);
  if (!query.next()) return std::nullopt;
  return CheckpointKey{key.thread_id, key.ns, query.text()};
}

std::optional<CheckpointTuple> read_checkpoint(Database& db, const CheckpointKey& wanted) {
  const auto key = resolve(db, wanted);
  if (!key) return std::nullopt;
  Query query(db, select_tuple, key->thread_id, key->ns, key->checkpoint_id);
  if (!query.next()) return std::nullopt;
  CheckpointTuple tuple;
  tuple.key = *key;
  tuple.parent_id = query.text();
  tuple.checkpoint.type = query.text();
  tuple.checkpoint.data = query.text();
  tuple.metadata = query.text();
  for (auto& [channel, version] : channel_versions(query.view())) {
    auto value = read_value(db, *key, channel, version);
    if (value) tuple.values.push_back({std::move(channel), std::move(version), std::move(*value)});
  }
  for (Query writes(db, select_writes, key->thread_id, key->ns, key->checkpoint_id); writes.next();)
    tuple.writes.push_back(read_write(writes));
  return tuple;
}

std::vector<CheckpointTuple> read_checkpoints(Database& db, const CheckpointFilter& filter) {
  std::vector<CheckpointTuple> out;
  for (const auto& key : list_keys(db, filter))
    if (auto tuple = read_checkpoint(db, key)) out.push_back(std::move(*tuple));
  return out;
}

std::vector<ChannelHistory> read_channel_history(Database& db, const CheckpointKey& wanted,
                                                 const std::vector<std::string>& channels) {
  return HistoryWalk(db, resolve(db, wanted).value_or(wanted), channels).run();
}

std::optional<CheckpointState> read_state(Database& db, const CheckpointKey& wanted) {
  const auto key = resolve(db, wanted);
  if (!key) return std::nullopt;
  Query query(db, select_projection, key->thread_id, key->ns, key->checkpoint_id);
  if (!query.next()) return std::nullopt;
  CheckpointState state;
  state.key = *key;
  state.parent_id = query.text();
  state.metadata = query.text();
  std::map<std::string, std::string> patches;
  for (Query tasks(db, select_patches, key->thread_id, key->ns, key->checkpoint_id); tasks.next();) {
    auto task = tasks.text();
    patches.emplace(std::move(task), tasks.text());
  }
  // Patches first: the text is still short.
  auto projection = apply_patches(query.text(), patches);
  state.projection = whole_projection(db, std::move(projection), query.view());
  return state;
}

std::vector<CheckpointState> read_states(Database& db, const CheckpointFilter& filter) {
  std::vector<CheckpointState> out;
  for (const auto& key : list_keys(db, filter))
    if (auto state = read_state(db, key)) out.push_back(std::move(*state));
  return out;
}

}  // namespace dg::store::sqlite
