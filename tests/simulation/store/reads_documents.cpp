// Checkpoints and items.
#include <algorithm>

#include "base/json.hpp"
#include "simulation/store/tables.hpp"
#include "store/columns.hpp"
#include "store/documents.hpp"

namespace dg::simulation {
namespace {

std::vector<StoredWrite> writes_of(const Tables::Checkpoint& checkpoint) {
  std::vector<StoredWrite> out;
  for (const auto& [task, entry] : checkpoint.tasks)
    for (const auto& [idx, write] : entry.writes) out.push_back(write);
  std::ranges::sort(out, [](const StoredWrite& a, const StoredWrite& b) {
    return std::tie(a.task_path, a.task_id, a.write.idx) < std::tie(b.task_path, b.task_id, b.write.idx);
  });
  return out;
}

const TypedBlob* find_value(const Tables::Namespace& space, const Tables::Checkpoint& checkpoint,
                            const std::string& channel) {
  for (const auto& [name, version] : channel_versions(checkpoint.saved.channel_versions)) {
    if (name != channel) continue;
    const auto found = space.values.find({name, version});
    if (found != space.values.end()) return &found->second;
  }
  return nullptr;
}

const Tables::Namespace* find_space(const Tables& tables, const std::string& thread_id,
                                    const std::string& ns) {
  const auto* spaces = tables.space(thread_id);
  if (spaces == nullptr) return nullptr;
  const auto found = spaces->find(ns);
  return found == spaces->end() ? nullptr : &found->second;
}

CheckpointTuple tuple_of(const Tables::Namespace& space, const Tables::Checkpoint& checkpoint) {
  const auto& saved = checkpoint.saved;
  CheckpointTuple tuple{saved.key, saved.parent_id, saved.checkpoint, saved.metadata, {}, {}};
  for (auto& [channel, version] : channel_versions(saved.channel_versions)) {
    const auto value = space.values.find({channel, version});
    if (value != space.values.end())
      tuple.values.push_back({std::move(channel), std::move(version), value->second});
  }
  tuple.writes = writes_of(checkpoint);
  return tuple;
}

CheckpointState state_of(const Tables::Checkpoint& checkpoint) {
  const auto& saved = checkpoint.saved;
  std::map<std::string, std::string> patches;
  for (const auto& [id, task] : checkpoint.tasks)
    if (!task.patch.empty()) patches[id] = task.patch;
  return {saved.key, saved.parent_id, saved.metadata, apply_patches(saved.projection, patches)};
}

// Calls `fn` with each checkpoint that the filter lets through, newest first, until the limit.
template <class Fn>
void for_each_listed(const Tables& tables, const CheckpointFilter& filter, Fn fn) {
  using Entry = std::pair<const Tables::Namespace*, const Tables::Checkpoint*>;
  std::vector<Entry> found;
  const auto look_at = [&](const std::string& thread_id) {
    const auto* spaces = tables.space(thread_id);
    if (spaces == nullptr) return;
    for (const auto& [ns, space] : *spaces) {
      if (filter.ns && ns != *filter.ns) continue;
      for (const auto& [id, checkpoint] : space.checkpoints) {
        const bool wanted = checkpoint.exists &&
                            (filter.checkpoint_id.empty() || id == filter.checkpoint_id) &&
                            (filter.before.empty() || id < filter.before);
        if (wanted && json::contains(json::View(checkpoint.saved.metadata), json::View(filter.metadata)))
          found.emplace_back(&space, &checkpoint);
      }
    }
  };
  if (filter.thread_id) {
    look_at(*filter.thread_id);
  } else {
    for (const auto& [id, thread] : tables.threads()) look_at(id);
  }
  const auto order = [](const Entry& entry) {
    const auto& key = entry.second->saved.key;
    return std::tie(key.checkpoint_id, key.ns, key.thread_id);
  };
  std::ranges::sort(found, std::greater{}, order);
  if (filter.limit > 0 && std::ssize(found) > filter.limit)
    found.resize(static_cast<std::size_t>(filter.limit));
  for (const auto& [space, checkpoint] : found) fn(*space, *checkpoint);
}

}  // namespace

const Tables::Checkpoint* find_checkpoint(const Tables& tables, const std::string& thread_id,
                                          const std::string& ns, const std::string& checkpoint_id) {
  const auto* space = find_space(tables, thread_id, ns);
  if (space == nullptr) return nullptr;
  if (checkpoint_id.empty()) {
    for (auto it = space->checkpoints.rbegin(); it != space->checkpoints.rend(); ++it)
      if (it->second.exists) return &it->second;
    return nullptr;
  }
  const auto found = space->checkpoints.find(checkpoint_id);
  return found == space->checkpoints.end() || !found->second.exists ? nullptr : &found->second;
}

std::optional<CheckpointTuple> read_checkpoint(const Tables& tables, const CheckpointKey& key) {
  const auto* checkpoint = find_checkpoint(tables, key.thread_id, key.ns, key.checkpoint_id);
  if (checkpoint == nullptr) return std::nullopt;
  return tuple_of(*find_space(tables, key.thread_id, key.ns), *checkpoint);
}

std::vector<CheckpointTuple> read_checkpoints(const Tables& tables, const CheckpointFilter& filter) {
  std::vector<CheckpointTuple> out;
  for_each_listed(tables, filter, [&](const auto& space, const auto& checkpoint) {
    out.push_back(tuple_of(space, checkpoint));
  });
  return out;
}

std::optional<CheckpointState> read_state(const Tables& tables, const CheckpointKey& key) {
  const auto* checkpoint = find_checkpoint(tables, key.thread_id, key.ns, key.checkpoint_id);
  return checkpoint == nullptr ? std::nullopt : std::optional(state_of(*checkpoint));
}

std::vector<CheckpointState> read_states(const Tables& tables, const CheckpointFilter& filter) {
  std::vector<CheckpointState> out;
  for_each_listed(tables, filter,
                  [&](const auto&, const auto& checkpoint) { out.push_back(state_of(checkpoint)); });
  return out;
}

std::vector<ChannelHistory> read_channel_history(const Tables& tables, const CheckpointKey& key,
                                                 const std::vector<std::string>& channels) {
  std::vector<ChannelHistory> out;
  out.reserve(channels.size());
  for (const auto& channel : channels) out.push_back({channel, {}, std::nullopt});
  const auto* at = find_checkpoint(tables, key.thread_id, key.ns, key.checkpoint_id);
  if (at == nullptr) return out;
  const auto& space = *find_space(tables, key.thread_id, key.ns);
  for (auto& history : out) {
    std::set<std::string> seen{at->saved.key.checkpoint_id};
    const auto* step = at;
    while (!history.seed && !step->saved.parent_id.empty() && seen.insert(step->saved.parent_id).second) {
      step = find_checkpoint(tables, key.thread_id, key.ns, step->saved.parent_id);
      if (step == nullptr) break;
      auto writes = writes_of(*step);
      std::erase_if(writes, [&](const StoredWrite& w) { return w.write.channel != history.channel; });
      history.writes.insert(history.writes.begin(), writes.begin(), writes.end());
      if (const auto* value = find_value(space, *step, history.channel)) history.seed = *value;
    }
  }
  return out;
}

std::vector<Item> read_items(const Tables& tables, const ItemSearch& search) {
  std::vector<const Item*> found;
  for (const auto& [key, item] : tables.items)
    if (item.ns.size() >= search.prefix.size() &&
        std::equal(search.prefix.begin(), search.prefix.end(), item.ns.begin()) &&
        item_matches(item.value, search.filter))
      found.push_back(&item);
  std::ranges::sort(found, [](const Item* a, const Item* b) {
    return std::tie(b->updated_at, a->key, a->ns) < std::tie(a->updated_at, b->key, b->ns);
  });
  std::vector<Item> out;
  for (std::int64_t i = search.offset; i < std::ssize(found) && std::ssize(out) < search.limit; ++i)
    out.push_back(*found[static_cast<std::size_t>(i)]);
  return out;
}

std::vector<std::vector<std::string>> read_namespaces(const Tables& tables, const NamespaceSearch& search) {
  NamespaceMatches matches(search);
  for (const auto& [key, item] : tables.items) matches.add(item.ns);
  return matches.page();
}

}  // namespace dg::simulation
