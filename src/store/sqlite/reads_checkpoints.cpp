#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "store/documents.hpp"
#include "store/sqlite/list_checkpoints.hpp"
#include "store/sqlite/pack_rows.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/series.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_newest =
    "SELECT checkpoint_id FROM checkpoints WHERE thread_id = ? AND ns = ? ORDER BY checkpoint_id DESC LIMIT "
    "1";
const std::string select_checkpoint =
    fmt::format("SELECT {} FROM checkpoints WHERE thread_id = ? AND ns = ? AND checkpoint_id = ?",
                packed_columns<pack::CheckpointRow>);
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

// A checkpoint where it was found: as a row, or in a pack, where everything else of it is too.
struct Checkpoint {
  CheckpointKey key;
  pack::CheckpointRow row;
  PackContents pack;  // null: it is a row
};

template <class Row>
bool belongs(const Row& row, const CheckpointKey& key) {
  return row.checkpoint_id == key.checkpoint_id && row.ns == key.ns;
}

// Where a checkpoint's parts are read from, so that nothing else needs to know.
class CheckpointReader {
 public:
  explicit CheckpointReader(Database& db) : db_(db), packs_(db) {}

  Packs& packs() { return packs_; }

  // `key` with the newest checkpoint's id where it has none, or nothing when the namespace has no checkpoint.
  std::optional<CheckpointKey> resolve(const CheckpointKey& key) {
    if (!key.checkpoint_id.empty()) return key;
    std::string newest;
    if (Query query(db_, select_newest, key.thread_id, key.ns); query.next()) newest = query.text();
    if (auto packed = packs_.newest_after(key.thread_id, key.ns, newest); !packed.empty())
      newest = std::move(packed);
    if (newest.empty()) return std::nullopt;
    return CheckpointKey{key.thread_id, key.ns, std::move(newest)};
  }

  std::optional<Checkpoint> find(const CheckpointKey& key) {
    if (Query query(db_, select_checkpoint, key.thread_id, key.ns, key.checkpoint_id); query.next())
      return Checkpoint{key, take_row<pack::CheckpointRow>(query), nullptr};
    auto held = packs_.holding(key);
    if (!held.contents) return std::nullopt;
    return Checkpoint{key, *held.contents->find(key.ns, key.checkpoint_id), std::move(held.contents)};
  }

  std::vector<StoredWrite> writes(const Checkpoint& c) {
    if (c.pack) return packed_writes(c, [](const auto&) { return true; });
    std::vector<StoredWrite> out;
    for (Query query(db_, select_writes, c.key.thread_id, c.key.ns, c.key.checkpoint_id); query.next();)
      out.push_back(read_write(query));
    return out;
  }

  std::vector<StoredWrite> writes_of_channel(const Checkpoint& c, const std::string& channel) {
    if (c.pack) return packed_writes(c, [&](const auto& row) { return row.channel == channel; });
    std::vector<StoredWrite> out;
    Query query(db_, select_writes_of_channel, c.key.thread_id, c.key.ns, c.key.checkpoint_id, channel);
    while (query.next()) out.push_back(read_write(query));
    return out;
  }

  std::map<std::string, std::string> patches(const Checkpoint& c) {
    std::map<std::string, std::string> out;
    if (c.pack) {
      for (const auto& row : c.pack->tasks)
        if (belongs(row, c.key)) out.emplace(row.task_id, row.patch);
      return out;
    }
    for (Query query(db_, select_patches, c.key.thread_id, c.key.ns, c.key.checkpoint_id); query.next();) {
      auto task = query.text();
      out.emplace(std::move(task), query.text());
    }
    return out;
  }

  std::optional<TypedBlob> value(const Checkpoint& c, const std::string& channel,
                                 const std::string& version) {
    if (c.pack) {
      for (const auto& row : c.pack->values)
        if (row.version == version && row.channel == channel && row.ns == c.key.ns)
          return TypedBlob{row.type, whole(row.series, row.data.bytes)};
      return std::nullopt;
    }
    Query query(db_, select_value, c.key.thread_id, c.key.ns, channel, version);
    if (!query.next()) return std::nullopt;
    TypedBlob value;
    value.type = query.text();
    const auto series = query.integer();
    value.data = whole(series, query.text());
    return value;
  }

  // The projection with the large channels of its values.
  std::string whole_projection(std::string projection, std::string_view stored_cuts) {
    std::vector<delta::Cut> cuts;
    if (stored_cuts.empty() || !delta::take_cuts(stored_cuts, cuts)) return projection;
    return delta::restore(projection, json::View(projection)["values"], cuts,
                          [&](const delta::Ref& ref) { return read_series_value(db_, ref); });
  }

 private:
  std::string whole(std::int64_t series, std::string data) {
    return series == 0 ? std::move(data) : read_series_value(db_, {series, std::move(data)});
  }

  template <class Wanted>
  static std::vector<StoredWrite> packed_writes(const Checkpoint& c, Wanted wanted) {
    std::vector<StoredWrite> out;
    for (const auto& row : c.pack->writes)
      if (belongs(row, c.key) && wanted(row))
        out.push_back({row.task_id, row.task_path, {row.idx, row.channel, {row.type, row.data.bytes}}});
    std::ranges::sort(out, {},
                      [](const StoredWrite& w) { return std::tie(w.task_path, w.task_id, w.write.idx); });
    return out;
  }

  Database& db_;
  Packs packs_;
};

// Walks from a checkpoint to its ancestors and gathers, for each channel that has not met a stored
// value yet, the writes on the way.
class HistoryWalk {
 public:
  HistoryWalk(CheckpointReader& reader, const std::vector<std::string>& channels)
      : reader_(reader), open_(channels.begin(), channels.end()) {
    for (const auto& channel : channels) out_.push_back({channel, {}, std::nullopt});
  }

  std::vector<ChannelHistory> from(CheckpointKey key) {
    std::set<std::string> seen{key.checkpoint_id};
    auto at = reader_.find(key);
    while (at && !open_.empty() && !at->row.parent_id.empty() && seen.insert(at->row.parent_id).second) {
      key.checkpoint_id = at->row.parent_id;
      at = reader_.find(key);
      if (at) visit(*at);
    }
    for (auto& history : out_) std::ranges::reverse(history.writes);
    return std::move(out_);
  }

 private:
  void visit(const Checkpoint& c) {
    std::map<std::string, std::string> version_of;
    for (auto& entry : channel_versions(c.row.channel_versions)) version_of.insert(std::move(entry));
    for (auto& history : out_) {
      if (!open_.contains(history.channel)) continue;
      collect_writes(c, history);
      const auto version = version_of.find(history.channel);
      if (version == version_of.end()) continue;
      history.seed = reader_.value(c, history.channel, version->second);
    }
    for (const auto& history : out_)
      if (history.seed) open_.erase(history.channel);
  }

  // Newest first, as the walk goes; turned round at its end.
  void collect_writes(const Checkpoint& c, ChannelHistory& history) {
    auto writes = reader_.writes_of_channel(c, history.channel);
    history.writes.insert(history.writes.end(), std::make_move_iterator(writes.rbegin()),
                          std::make_move_iterator(writes.rend()));
  }

  CheckpointReader& reader_;
  std::set<std::string> open_;
  std::vector<ChannelHistory> out_;
};

std::optional<CheckpointTuple> read_tuple(CheckpointReader& reader, const CheckpointKey& key) {
  auto found = reader.find(key);
  if (!found) return std::nullopt;
  CheckpointTuple tuple;
  tuple.key = key;
  tuple.parent_id = std::move(found->row.parent_id);
  tuple.checkpoint = {std::move(found->row.type), std::move(found->row.data.bytes)};
  tuple.metadata = std::move(found->row.metadata);
  for (auto& [channel, version] : channel_versions(found->row.channel_versions)) {
    auto value = reader.value(*found, channel, version);
    if (value) tuple.values.push_back({std::move(channel), std::move(version), std::move(*value)});
  }
  tuple.writes = reader.writes(*found);
  return tuple;
}

std::optional<CheckpointState> read_state(CheckpointReader& reader, const CheckpointKey& key) {
  auto found = reader.find(key);
  if (!found) return std::nullopt;
  CheckpointState state;
  state.key = key;
  state.parent_id = std::move(found->row.parent_id);
  state.metadata = std::move(found->row.metadata);
  // Patches first: the text is still short.
  auto projection = apply_patches(std::move(found->row.projection), reader.patches(*found));
  state.projection = reader.whole_projection(std::move(projection), found->row.cuts.bytes);
  return state;
}

}  // namespace

std::optional<CheckpointKey> newest_checkpoint(Database& db, const std::string& thread_id,
                                               const std::string& ns) {
  return CheckpointReader(db).resolve({thread_id, ns, ""});
}

std::optional<CheckpointTuple> read_checkpoint(Database& db, const CheckpointKey& wanted) {
  CheckpointReader reader(db);
  const auto key = reader.resolve(wanted);
  return key ? read_tuple(reader, *key) : std::nullopt;
}

std::vector<CheckpointTuple> read_checkpoints(Database& db, const CheckpointFilter& filter) {
  CheckpointReader reader(db);
  std::vector<CheckpointTuple> out;
  for (const auto& key : list_checkpoint_keys(db, reader.packs(), filter))
    if (auto tuple = read_tuple(reader, key)) out.push_back(std::move(*tuple));
  return out;
}

std::vector<ChannelHistory> read_channel_history(Database& db, const CheckpointKey& wanted,
                                                 const std::vector<std::string>& channels) {
  CheckpointReader reader(db);
  return HistoryWalk(reader, channels).from(reader.resolve(wanted).value_or(wanted));
}

std::optional<CheckpointState> read_state(Database& db, const CheckpointKey& wanted) {
  CheckpointReader reader(db);
  const auto key = reader.resolve(wanted);
  return key ? read_state(reader, *key) : std::nullopt;
}

std::vector<CheckpointState> read_states(Database& db, const CheckpointFilter& filter) {
  CheckpointReader reader(db);
  std::vector<CheckpointState> out;
  for (const auto& key : list_checkpoint_keys(db, reader.packs(), filter))
    if (auto state = read_state(reader, key)) out.push_back(std::move(*state));
  return out;
}

}  // namespace dg::store::sqlite
