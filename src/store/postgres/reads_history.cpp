// The history of channels: a walk to the ancestors of a checkpoint, many of them at a time.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ranges>
#include <set>

#include "store/documents.hpp"
#include "store/postgres/checkpoint_rows.hpp"
#include "store/postgres/reads.hpp"

namespace dg::store::postgres {
namespace {

// A checkpoint and its ancestors, $4 of them at most, nearest first.
const std::string select_ancestors = fmt::format(
    "WITH RECURSIVE up AS (SELECT c.checkpoint_id, c.parent_checkpoint_id, c.channel_versions, 0::bigint AS "
    "depth "
    "FROM {} {} UNION ALL SELECT c.checkpoint_id, c.parent_checkpoint_id, c.channel_versions, up.depth + 1 "
    "FROM up CROSS JOIN LATERAL (SELECT * FROM checkpoints WHERE thread_id = $1 AND checkpoint_ns = $2 "
    "AND checkpoint_id = up.parent_checkpoint_id OFFSET 0) AS c WHERE up.depth < $4) "
    "SELECT checkpoint_id, channel_versions FROM up ORDER BY depth",
    one_key, checkpoint_of_key);
constexpr std::string_view select_writes =
    "SELECT k.place, w.task_id, w.task_path, w.idx, w.channel, w.type, w.blob "
    "FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS k(id, channel, place) CROSS JOIN LATERAL (SELECT "
    "* "
    "FROM checkpoint_writes WHERE thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = k.id "
    "AND channel = k.channel OFFSET 0) AS w ORDER BY k.place, w.task_path, w.task_id, w.idx";
// The value is mostly near.
constexpr std::int64_t first_step = 16;
constexpr std::int64_t next_step = 256;

struct Ancestor {
  std::string id;
  std::map<std::string, std::string> versions;  // by channel
};

// What is known of a channel: the ancestors on the way to its value, nearest first.
struct StoredHistory {
  ChannelHistory history;
  std::vector<std::string> visited;
  std::optional<StoredValue> seed;
};
using StoredHistories = std::vector<StoredHistory>;

class HistoryWalk {
 public:
  HistoryWalk(Snapshot& snapshot, CheckpointKey key, const std::vector<std::string>& channels)
      : snapshot_(snapshot), key_(std::move(key)) {
    for (const auto& channel : channels) out_.push_back({{channel, {}, std::nullopt}, {}, std::nullopt});
  }

  Task<Outcome<StoredHistories>> run() {
    std::int64_t step = first_step;
    while (is_open()) {
      auto ancestors = co_await climb(step);
      if (!ancestors) co_return fail_with(std::move(ancestors.error()));
      if (auto visited = co_await visit(std::move(*ancestors)); !visited)
        co_return fail_with(std::move(visited.error()));
      if (at_end_) break;
      step = next_step;
    }
    if (auto read = co_await read_writes(); !read) co_return fail_with(std::move(read.error()));
    co_return std::move(out_);
  }

 private:
  bool is_open() const {
    return std::ranges::any_of(out_, [](const StoredHistory& h) { return !h.seed; });
  }

  // The next ancestors above the key, which moves to the last of them.
  Task<Outcome<std::vector<Ancestor>>> climb(std::int64_t step) {
    Pipeline pipeline;
    pipeline.add(select_ancestors, key_.thread_id, key_.ns, key_.checkpoint_id, step);
    auto results = co_await snapshot_.run(std::move(pipeline), Snapshot::Then::more);
    if (!results) co_return fail_with(std::move(results.error()));
    std::vector<Ancestor> out;
    auto& rows = results->front();
    at_end_ = rows.size() <= step;
    if (rows.next()) seen_.insert(rows.text());  // where it began
    while (rows.next()) {
      auto& ancestor = out.emplace_back();
      ancestor.id = rows.text();
      for (auto& entry : channel_versions(rows.view())) ancestor.versions.insert(std::move(entry));
      if (!seen_.insert(ancestor.id).second) {
        at_end_ = true;
        out.pop_back();
        break;
      }
    }
    if (!out.empty()) key_.checkpoint_id = out.back().id;
    co_return out;
  }

  Task<Outcome<void>> visit(std::vector<Ancestor> ancestors) {
    ValueLookup lookup;
    for (const auto& ancestor : ancestors)
      for (const auto& stored : out_)
        if (const auto key = value_key(ancestor, stored)) lookup.add(*key);
    std::vector<std::optional<StoredValue>> values;
    if (!lookup.empty()) {
      Pipeline pipeline;
      lookup.add_to(pipeline);
      auto results = co_await snapshot_.run(std::move(pipeline), Snapshot::Then::more);
      if (!results) co_return fail_with(std::move(results.error()));
      values = lookup.read(results->front());
    }
    for (const auto& ancestor : ancestors)
      for (auto& stored : out_) visit(ancestor, stored, lookup, values);
    co_return Outcome<void>{};
  }

  void visit(const Ancestor& ancestor, StoredHistory& stored, ValueLookup& lookup,
             const std::vector<std::optional<StoredValue>>& values) const {
    if (stored.seed) return;
    stored.visited.push_back(ancestor.id);
    if (const auto key = value_key(ancestor, stored)) stored.seed = values[lookup.add(*key)];
  }

  // Of the value that the ancestor has of a channel that is still looked for.
  std::optional<ValueKey> value_key(const Ancestor& ancestor, const StoredHistory& stored) const {
    const auto version = ancestor.versions.find(stored.history.channel);
    if (stored.seed || version == ancestor.versions.end()) return std::nullopt;
    return ValueKey{key_.thread_id, key_.ns, stored.history.channel, version->second};
  }

  // Oldest first.
  Task<Outcome<void>> read_writes() {
    std::vector<std::string> ids, channels;
    std::vector<StoredHistory*> of;
    for (auto& stored : out_) {
      for (const auto& id : std::views::reverse(stored.visited)) {
        ids.push_back(id);
        channels.push_back(stored.history.channel);
        of.push_back(&stored);
      }
    }
    if (ids.empty()) co_return Outcome<void>{};
    Pipeline pipeline;
    pipeline.add(select_writes, key_.thread_id, key_.ns, ids, channels);
    auto results = co_await snapshot_.run(std::move(pipeline), Snapshot::Then::done);
    if (!results) co_return fail_with(std::move(results.error()));
    for (auto& rows = results->front(); rows.next();) {
      auto& stored = *of[static_cast<std::size_t>(rows.integer() - 1)];
      stored.history.writes.push_back(read_write(rows));
    }
    co_return Outcome<void>{};
  }

  Snapshot& snapshot_;
  CheckpointKey key_;
  StoredHistories out_;
  std::set<std::string> seen_;
  bool at_end_ = false;
};

Task<Outcome<StoredHistories>> histories_of(Snapshot& snapshot, SeriesValues& values, CheckpointKey key,
                                            std::vector<std::string> channels) {
  HistoryWalk walk(snapshot, std::move(key), channels);
  auto histories = co_await walk.run();
  if (!histories) co_return fail_with(std::move(histories.error()));
  for (const auto& stored : *histories)
    if (const auto ref = stored.seed ? stored.seed->ref() : std::nullopt) values.want(*ref);
  co_return histories;
}

void finish(StoredHistories& histories, SeriesValues& values) {
  for (auto& stored : histories)
    if (stored.seed) stored.history.seed = std::move(*stored.seed).whole(values);
}

}  // namespace

Task<Outcome<std::vector<ChannelHistory>>> read_channel_history(Connection& db, CheckpointKey key,
                                                                std::vector<std::string> channels) {
  auto found = co_await read_with_values<StoredHistories>(
      db,
      [&](Snapshot& snapshot, SeriesValues& values) { return histories_of(snapshot, values, key, channels); },
      finish);
  if (!found) co_return fail_with(std::move(found.error()));
  std::vector<ChannelHistory> out;
  for (auto& stored : *found) out.push_back(std::move(stored.history));
  co_return out;
}

}  // namespace dg::store::postgres
