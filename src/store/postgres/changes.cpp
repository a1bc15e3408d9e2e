// Changes that only add rows to write.
#include "store/columns.hpp"
#include "store/delta/packing.hpp"
#include "store/documents.hpp"
#include "store/frame_codec.hpp"
#include "store/postgres/batch.hpp"

namespace dg::store::postgres {

void Batch::apply(Context& context, const PutAssistant& change) {
  const auto& a = change.assistant;
  const auto known = writes_.assistants.find(a.id);
  const auto first = known == writes_.assistants.end() ? a : known->second;
  auto& row = writes_.assistants[a.id] = a;
  row.created_at = first.created_at;
  row.owner = first.owner;
  if (change.new_version)
    writes_.assistant_versions[{a.id, a.number}] = {a.id, a.number, a.content, a.updated_at};
  static_cast<void>(context);
}

void Batch::apply(Context& context, const PutThread& change) {
  const auto [place, is_new] = writes_.threads.try_emplace(change.thread.id, change.thread);
  if (!is_new) {
    const auto first = std::exchange(place->second, change.thread);
    place->second.created_at = first.created_at;
    place->second.temporary = first.temporary;
    place->second.owner = first.owner;
    place->second.updated_at = std::max(first.updated_at, change.thread.updated_at);
  }
  context.threads.try_emplace(change.thread.id);
}

void Batch::apply(Context& context, const PutRun& change) {
  const auto [place, is_new] = writes_.runs.try_emplace(change.run.id, change.run);
  if (!is_new) {
    const auto first = std::exchange(place->second, change.run);
    place->second.created_at = first.created_at;
    place->second.owner = first.owner;
    place->second.has_checkpoint = first.has_checkpoint || change.run.has_checkpoint;
  }
  if (is_terminal(change.run.state)) to_merge_.insert(change.run.id);
  context.touch(change.run.thread_id);
  context.refresh(change.run.thread_id);
}

void Batch::apply(Context&, const MarkRunCheckpoint& change) {
  writes_.marked_runs.push_back(change.run_id);
}

void Batch::apply(Context& context, const PutLease& change) {
  auto lease = change.lease;
  lease.applied_n = 0;
  context.result.has_checkpoints.push_back(facts_.with_checkpoint.contains(lease.thread_id));
  context.refresh(lease.thread_id);
  facts_.put_lease(std::move(lease));
}

void Batch::apply(Context& context, const DropLease& change) {
  if (const auto thread = facts_.drop_lease(change.owner); !thread.empty()) context.refresh(thread);
}

delta::Ref Batch::add_large(const delta::SeriesKey& key, std::string_view value, delta::NamedBy by) {
  auto& series = facts_.series(key);
  auto added = series.add(value, by);
  if (!added.literal.empty())
    writes_.series_parts.push_back({series.id,
                                    static_cast<std::int64_t>(added.at),
                                    std::ssize(added.literal),
                                    {delta::pack(added.literal)}});
  if (added.changed) writes_.series[key] = &series;
  return {series.id, added.recipe.encode()};
}

void Batch::apply(Context& context, const PutCheckpoint& change) {
  const auto& c = change.checkpoint;
  const auto& [thread_id, ns, checkpoint_id] = c.key;
  delta::CutDocument projection{c.projection, {}};
  if (c.projection.size() >= delta::smallest_cut) {
    projection = delta::cut(c.projection, json::View(c.projection)["values"],
                            [&](const std::string& channel, std::string_view value) {
                              return add_large({thread_id, ns, channel, delta::SeriesKind::json}, value,
                                               delta::NamedBy::checkpoint);
                            });
  }
  std::string cuts;
  if (!projection.cuts.empty()) delta::put_cuts(cuts, projection.cuts);
  auto& stored = facts_.checkpoints[place_of(c.key)];
  if (!stored.cuts.empty() && stored.cuts != cuts) to_collect_.emplace(thread_id, ns);
  stored = {c.run_id, cuts};
  auto& row = writes_.checkpoints[place_of(c.key)];
  row.thread_id = thread_id;
  row.row = {.ns = ns,
             .checkpoint_id = checkpoint_id,
             .parent_id = c.parent_id,
             .run_id = c.run_id,
             .metadata_run_id = json::View(c.metadata)["run_id"].string(),
             .has_next = has_next(projection.text) ? 1 : 0,
             .metadata = c.metadata,
             .channel_versions = c.channel_versions,
             .type = c.checkpoint.type,
             .data = {c.checkpoint.data},
             .projection = std::move(projection.text),
             .cuts = {std::move(cuts)}};
  for (const auto& value : c.values) put_value(c.key, value);
  facts_.with_checkpoint.insert(thread_id);
  context.touch(thread_id);
  context.refresh(thread_id);
  if (ns.empty()) context.threads[thread_id].state_at = context.now;
}

void Batch::put_value(const CheckpointKey& key, const ChannelValue& v) {
  delta::Ref ref{0, v.value.data};
  if (v.value.data.size() >= delta::smallest_cut) {
    if (!facts_.values.emplace(key.thread_id, key.ns, v.channel, v.version).second) return;
    ref = add_large({key.thread_id, key.ns, v.channel, delta::SeriesKind::blob}, v.value.data,
                    delta::NamedBy::checkpoint);
  }
  writes_.values.push_back(
      {key.thread_id, {key.ns, v.channel, v.version, v.value.type, ref.series, {std::move(ref.recipe)}}});
}

void Batch::apply(Context&, const PutWrites& change) {
  const auto& w = change.writes;
  const auto& [thread_id, ns, checkpoint_id] = w.key;
  const TaskPlace task{thread_id, ns, checkpoint_id, w.task_id};
  for (const auto& write : w.writes) {
    const auto [place, is_new] = writes_.writes.try_emplace({task, write.idx});
    if (!is_new && write.idx >= 0) continue;
    place->second = {thread_id,
                     {ns,
                      checkpoint_id,
                      w.task_id,
                      write.idx,
                      w.task_path,
                      write.channel,
                      write.value.type,
                      {write.value.data}}};
  }
  put_patch(w);
}

void Batch::put_patch(const NewWrites& w) {
  if (!json::View(w.task_patch).is_object()) return;
  const auto& [thread_id, ns, checkpoint_id] = w.key;
  const TaskPlace task{thread_id, ns, checkpoint_id, w.task_id};
  const auto [patch, is_new] = facts_.patches.try_emplace(task, w.task_patch);
  if (!is_new) patch->second = json::merge(json::View(patch->second), json::View(w.task_patch));
  writes_.tasks[task] = {thread_id, {ns, checkpoint_id, w.task_id, patch->second}};
}

void Batch::apply(Context& context, const AppendFrames& change) {
  auto& stream = facts_.streams[change.run_id];
  context.result.first_frames.push_back(stream.end);
  if (change.frames.empty()) return;
  const auto count = std::ssize(change.frames);
  SegmentRow row{.run_id = change.run_id,
                 .first_no = stream.end,
                 .count = count,
                 .pending = ++stream.pending,
                 .data = {},
                 .cuts = {}};
  row.first_seq = change.thread_id.empty() ? 0 : take_places(change.thread_id, count, 0);
  FrameCuts cuts;
  std::int64_t offset = 0;
  for (const auto& frame : change.frames) {
    delta::CutDocument cut{frame.data, {}};
    if (const auto ns = namespace_of_values(change, frame)) {
      cut = delta::cut(frame.data, json::View(frame.data),
                       [&](const std::string& member, std::string_view value) {
                         return add_large({change.thread_id, *ns, member, delta::SeriesKind::json}, value,
                                          delta::NamedBy::frame);
                       });
    }
    if (!cut.cuts.empty()) cuts[static_cast<std::uint64_t>(offset)] = std::move(cut.cuts);
    encode_frame(row.data.bytes, {frame.event, std::move(cut.text)}, offset++);
  }
  row.cuts.bytes = encode_cuts(cuts);
  if (stream.end == 0) writes_.framed_runs.insert(change.run_id);
  stream.end += count;
  if (stream.pending >= merge_segments_every) to_merge_.insert(change.run_id);
  writes_.segments.push_back(std::move(row));
}

void Batch::apply(Context& context, const PutItem& change) {
  const std::pair key{namespace_key(change.ns), change.key};
  const auto [place, is_new] =
      writes_.items.try_emplace(key, Item{change.ns, change.key, change.value, context.now, context.now});
  if (is_new) return;
  place->second.value = change.value;
  place->second.updated_at = std::max(context.now, place->second.updated_at + std::chrono::microseconds(1));
}

void Batch::apply(Context&, const EraseItem& change) {
  std::pair key{namespace_key(change.ns), change.key};
  writes_.items.erase(key);
  writes_.erased_items.insert(std::move(key));
}

void Batch::apply(Context&, const PutSession& change) {
  const auto& id = change.session.id;
  writes_.sessions[id] = change.session;
  writes_.disconnected_sessions.erase(id);
  writes_.ended_sessions.erase(id);
  auto& known = facts_.sessions[id];
  known = {change.session.connection, known.beats, !change.session.ended.empty()};
}

void Batch::apply(Context&, const DisconnectSession& change) {
  writes_.disconnected_sessions.insert(change.id);
}

void Batch::apply(Context&, const EndSession& change) {
  writes_.ended_sessions[change.id] = change.reason;
  if (const auto found = facts_.sessions.find(change.id); found != facts_.sessions.end())
    found->second.over = true;
}

void Batch::apply(Context&, const EraseSession& change) {
  writes_.sessions[change.id] = std::nullopt;
  facts_.sessions.erase(change.id);
}

void Batch::apply(Context&, const PutGraph& change) {
  writes_.graphs[change.graph.graph_id] = change.graph;
}

void Batch::apply(Context&, const AddApiKey& change) {
  writes_.keys.added.try_emplace(change.key.id, change.key);
}

void Batch::apply(Context& context, const RevokeApiKey& change) {
  writes_.keys.revoked.try_emplace(change.id, context.now);
}

void Batch::apply(Context& context, const NoteApiKeyUse& change) {
  auto& at = writes_.keys.used[change.id];
  at = std::max(at, context.now);
}

}  // namespace dg::store::postgres
