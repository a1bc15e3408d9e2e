#include "simulation/store/tables.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "store/columns.hpp"
#include "store/documents.hpp"

namespace dg::simulation {
namespace {

class Facts final : public CommitFacts {
 public:
  explicit Facts(const Tables& tables) : tables_(tables) {}
  std::int64_t turn(const std::string& thread_id) override {
    const auto* head = tables_.head(domain::AggregateType::thread, thread_id);
    return head == nullptr ? 0 : head->turn;
  }
  Head head(domain::AggregateType type, const std::string& id) override {
    const auto* head = tables_.head(type, id);
    if (head == nullptr) return {};
    return {head->version, head->version > 0 && !head->erased};
  }
  std::optional<Owner> owner(const std::string& id) override {
    const auto found = tables_.leases().find(id);
    if (found == tables_.leases().end()) return std::nullopt;
    return Owner{found->second.epoch, found->second.applied_n};
  }
  std::string holder(const std::string& thread_id) override {
    const auto* thread = tables_.thread(thread_id);
    return thread == nullptr ? "" : thread->lease;
  }
  std::optional<Connected> session(const std::string& id) override {
    const auto found = tables_.sessions.find(id);
    if (found == tables_.sessions.end()) return std::nullopt;
    return Connected{found->second.connection, found->second.beats, !found->second.ended.empty()};
  }

 private:
  const Tables& tables_;
};

bool is_open(domain::RunState state) {
  return domain::is_active(state) || state == domain::RunState::requires_action;
}

}  // namespace

// One commit that was judged and is applied.
class Applying {
 public:
  Applying(Tables& tables, const Env& env, const Commit& commit)
      : t_(tables), env_(env), commit_(commit), now_(commit.at.value_or(env.clock.now())) {}

  Committed run() {
    for (const auto& condition : commit_.conditions)
      if (const auto* fence = std::get_if<Fence>(&condition); fence != nullptr && fence->last_n > 0)
        t_.leases_[fence->owner].applied_n = fence->last_n;
    for (const auto& append : commit_.appends) apply(append);
    for (const auto& change : commit_.changes) std::visit([this](const auto& c) { apply(c); }, change);
    for (const auto& [id, touched] : touched_) refresh(id, touched);
    return std::move(result_);
  }

 private:
  bool has_checkpoints(const std::string& thread_id) const {
    const auto found = t_.spaces_.find(thread_id);
    return found != t_.spaces_.end() && std::ranges::any_of(found->second, [](const auto& space) {
             return std::ranges::any_of(space.second.checkpoints,
                                        [](const auto& c) { return c.second.exists; });
           });
  }
  using Namespace = Tables::Namespace;
  struct Touched {
    bool changed = false, state = false;
  };

  void apply(const Append& append) {
    if (append.events.empty()) return;
    const auto count = std::ssize(append.events);
    auto& head = t_.heads_[{append.aggregate, append.id}];
    head.erased = false;
    const bool of_run = append.aggregate == domain::AggregateType::run;
    std::int64_t seq = append.thread_id.empty() ? 0 : take_places(append.thread_id, count, of_run);
    if (!append.thread_id.empty()) touched_[append.thread_id].changed = true;
    auto& log = t_.events_[append.id];
    for (const auto& event : append.events) {
      log.push_back({make_uuid7(env_), append.aggregate, append.id, ++head.version, event.type, event.payload,
                     commit_.event_metadata, append.thread_id, seq, now_});
      if (seq != 0) ++seq;
    }
  }
  std::int64_t take_places(const std::string& thread_id, std::int64_t count, bool turns) {
    auto& head = t_.heads_[{domain::AggregateType::thread, thread_id}];
    head.seq += count;
    if (turns) head.turn += count;
    return head.seq - count + 1;
  }
  void mark_erased(domain::AggregateType type, const std::string& id) {
    if (const auto found = t_.heads_.find({type, id}); found != t_.heads_.end()) found->second.erased = true;
  }

  void apply(const PutAssistant& change) {
    const auto& a = change.assistant;
    auto& row = t_.assistants[a.id];
    const auto first = row.id.empty() ? a : row;
    row = a;
    row.created_at = first.created_at;
    row.owner = first.owner;
    if (change.new_version) t_.assistant_versions[a.id][a.number] = {a.id, a.number, a.content, a.updated_at};
  }
  void apply(const EraseAssistant& change) {
    t_.assistants.erase(change.id);
    t_.assistant_versions.erase(change.id);
    mark_erased(domain::AggregateType::assistant, change.id);
  }
  void apply(const PutThread& change) {
    auto& thread = t_.threads_[change.thread.id];
    touched_[change.thread.id];
    if (!thread.row) {
      thread.row = change.thread;
      thread.state_updated_at = change.thread.created_at;
      return;
    }
    thread.row->metadata = change.thread.metadata;
    thread.row->config = change.thread.config;
    thread.row->updated_at = std::max(thread.row->updated_at, change.thread.updated_at);
  }
  void apply(const EraseThread& change) {
    auto& thread = t_.threads_[change.id];
    for (const auto& id : thread.runs) {
      mark_erased(domain::AggregateType::run, id);
      t_.runs_.erase(id);
      t_.queued_.erase(id);
      t_.frames_.erase(id);
    }
    if (!thread.lease.empty()) t_.leases_.erase(thread.lease);
    t_.spaces_.erase(change.id);
    t_.threads_.erase(change.id);
    touched_.erase(change.id);
    mark_erased(domain::AggregateType::thread, change.id);
    if (const auto head = t_.heads_.find({domain::AggregateType::thread, change.id}); head != t_.heads_.end())
      ++head->second.turn;
  }
  void apply(const PutRun& change) {
    const auto& run = change.run;
    auto& row = t_.runs_[run.id];
    const bool is_new = row.id.empty();
    const bool had_checkpoint = row.has_checkpoint;
    const auto first = is_new ? run : row;
    row = run;
    row.created_at = first.created_at;
    row.owner = first.owner;
    row.has_checkpoint = row.has_checkpoint || had_checkpoint;
    auto& thread = t_.threads_[run.thread_id];
    thread.runs.insert(run.id);
    if (is_open(run.state)) {
      thread.open.insert(run.id);
    } else {
      thread.open.erase(run.id);
    }
    if (run.state == domain::RunState::queued) {
      t_.queued_.insert(run.id);
    } else {
      t_.queued_.erase(run.id);
    }
    touched_[run.thread_id].changed = true;
  }
  void apply(const MarkRunCheckpoint& change) {
    if (const auto found = t_.runs_.find(change.run_id); found != t_.runs_.end())
      found->second.has_checkpoint = true;
  }
  void apply(const EraseRun& change) {
    if (const auto found = t_.runs_.find(change.id); found != t_.runs_.end()) {
      auto& thread = t_.threads_[found->second.thread_id];
      thread.runs.erase(change.id);
      thread.open.erase(change.id);
      touched_[found->second.thread_id];
      t_.runs_.erase(found);
    }
    t_.queued_.erase(change.id);
    drop_lease(change.id);
    t_.frames_.erase(change.id);
    undo_writes_of(change.id);
    erase_where([&](const std::string&, const NewCheckpoint& c) { return c.run_id == change.id; });
    mark_erased(domain::AggregateType::run, change.id);
  }

  void drop_lease(const std::string& owner) {
    const auto found = t_.leases_.find(owner);
    if (found == t_.leases_.end()) return;
    t_.threads_[found->second.thread_id].lease.clear();
    touched_[found->second.thread_id];
    t_.leases_.erase(found);
  }
  void apply(const PutLease& change) {
    drop_lease(change.lease.owner);
    auto& lease = t_.leases_[change.lease.owner];
    lease = change.lease;
    lease.applied_n = 0;
    t_.threads_[lease.thread_id].lease = lease.owner;
    result_.has_checkpoints.push_back(has_checkpoints(lease.thread_id));
    touched_[lease.thread_id];
  }
  void apply(const DropLease& change) { drop_lease(change.owner); }

  void apply(const PutCheckpoint& change) {
    const auto& c = change.checkpoint;
    auto& space = t_.spaces_[c.key.thread_id][c.key.ns];
    for (const auto& v : c.values) space.values.try_emplace({v.channel, v.version}, v.value);
    auto& checkpoint = space.checkpoints[c.key.checkpoint_id];
    checkpoint.exists = true;
    checkpoint.saved = c;
    checkpoint.saved.values.clear();
    auto& touched = touched_[c.key.thread_id];
    touched.changed = true;
    touched.state = touched.state || c.key.ns.empty();
  }
  void apply(const PutWrites& change) {
    const auto& w = change.writes;
    auto& checkpoint = t_.spaces_[w.key.thread_id][w.key.ns].checkpoints[w.key.checkpoint_id];
    keep_for_undo(checkpoint, w);
    auto& task = checkpoint.tasks[w.task_id];
    for (const auto& write : w.writes) {
      const StoredWrite stored{w.task_id, w.task_path, write};
      if (write.idx < 0) {
        task.writes.insert_or_assign(write.idx, stored);
      } else {
        task.writes.try_emplace(write.idx, stored);
      }
    }
    if (!json::View(w.task_patch).is_object()) return;
    task.patch =
        task.patch.empty() ? w.task_patch : json::merge(json::View(task.patch), json::View(w.task_patch));
  }
  static void keep_for_undo(Tables::Checkpoint& checkpoint, const NewWrites& w) {
    const bool of_another = checkpoint.exists && !w.run_id.empty() && checkpoint.saved.run_id != w.run_id;
    const bool kept = std::ranges::any_of(checkpoint.undo, [&](const auto& undo) {
      return undo.run_id == w.run_id && undo.task_id == w.task_id;
    });
    if (!of_another || kept) return;
    const auto before = checkpoint.tasks.find(w.task_id);
    checkpoint.undo.push_back(
        {w.run_id, w.task_id,
         before == checkpoint.tasks.end() ? std::nullopt : std::optional(before->second)});
  }
  // Takes back what the run wrote to tasks of the checkpoint; a later run's writes stay.
  static void undo(Tables::Checkpoint& checkpoint, const std::string& run_id) {
    auto& all = checkpoint.undo;
    for (auto own = all.begin(); own != all.end(); ++own) {
      if (own->run_id != run_id) continue;
      const auto later = std::find_if(std::next(own), all.end(),
                                      [&](const auto& other) { return other.task_id == own->task_id; });
      if (later != all.end()) {
        later->before = own->before;
      } else if (own->before) {
        checkpoint.tasks[own->task_id] = *own->before;
      } else {
        checkpoint.tasks.erase(own->task_id);
      }
    }
    std::erase_if(all, [&](const auto& entry) { return entry.run_id == run_id; });
  }
  void undo_writes_of(const std::string& run_id) {
    for (auto& [thread_id, spaces] : t_.spaces_)
      for (auto& [ns, space] : spaces)
        for (auto& [id, checkpoint] : space.checkpoints) undo(checkpoint, run_id);
  }
  void apply(const CopyCheckpoints& change) {
    const auto source = t_.spaces_[change.source];
    for (const auto& [ns, space] : source) {
      auto& target = t_.spaces_[change.target][ns];
      target.values.insert(space.values.begin(), space.values.end());
      for (const auto& [id, checkpoint] : space.checkpoints) {
        auto& copy = target.checkpoints[id];
        if (copy.exists) continue;
        copy = checkpoint;
        copy.saved.key.thread_id = change.target;
        copy.saved.run_id.clear();
        copy.undo.clear();
        copy.saved.metadata = metadata_in(copy.saved.metadata, change.target);
        copy.saved.projection = projection_in(copy.saved.projection, change.target);
      }
    }
    touched_[change.target];
  }

  void erase_unused_values(Namespace& space) {
    std::set<std::pair<std::string, std::string>> used;
    for (const auto& [id, checkpoint] : space.checkpoints)
      for (auto& entry : channel_versions(checkpoint.saved.channel_versions)) used.insert(std::move(entry));
    std::erase_if(space.values, [&](const auto& value) { return !used.contains(value.first); });
  }
  // Erases the checkpoints that `wanted` is true of, with what only they need.
  template <class Wanted>
  void erase_where(Wanted wanted) {
    for (auto& [thread_id, spaces] : t_.spaces_) {
      for (auto& [ns, space] : spaces) {
        const auto erased = std::erase_if(space.checkpoints, [&](const auto& entry) {
          return entry.second.exists && wanted(thread_id, entry.second.saved);
        });
        if (erased == 0) continue;
        erase_unused_values(space);
        touched_[thread_id];
      }
    }
  }
  static const std::string& newest(const Namespace& space) {
    static const std::string none;
    for (auto it = space.checkpoints.rbegin(); it != space.checkpoints.rend(); ++it)
      if (it->second.exists) return it->first;
    return none;
  }
  void apply(const EraseCheckpoints& change) {
    touched_[change.thread_id];
    if (!change.keep_latest) {
      t_.spaces_.erase(change.thread_id);
      return;
    }
    std::map<std::string, std::string> kept;
    for (const auto& [ns, space] : t_.spaces_[change.thread_id]) kept[ns] = newest(space);
    erase_where([&](const std::string& thread_id, const NewCheckpoint& c) {
      return thread_id == change.thread_id && c.key.checkpoint_id != kept[c.key.ns];
    });
  }
  void apply(const EraseCheckpointsOfRun& change) {
    erase_where([&](const std::string&, const NewCheckpoint& c) {
      return c.run_id == change.run_id || json::View(c.metadata)["run_id"].string() == change.run_id;
    });
  }

  void apply(const AppendFrames& change) {
    auto& frames = t_.frames_[change.run_id];
    result_.first_frames.push_back(std::ssize(frames));
    frames.insert(frames.end(), change.frames.begin(), change.frames.end());
    take_places(change.thread_id, std::ssize(change.frames), false);
  }
  void apply(const EraseFrames& change) {
    for (const auto& id : change.run_ids) t_.frames_.erase(id);
  }

  void apply(const PutItem& change) {
    auto& item = t_.items[{namespace_key(change.ns), change.key}];
    const bool is_new = item.key.empty() && item.ns.empty();
    item.value = change.value;
    item.updated_at = is_new ? now_ : std::max(now_, item.updated_at + std::chrono::microseconds(1));
    if (is_new) item.created_at = now_;
    item.ns = change.ns;
    item.key = change.key;
  }
  void apply(const EraseItem& change) { t_.items.erase({namespace_key(change.ns), change.key}); }
  void apply(const PutSession& change) {
    auto& session = t_.sessions[change.session.id];
    const auto beats = session.beats;
    session = change.session;
    session.beats = beats;
  }
  void apply(const DisconnectSession& change) {
    if (const auto found = t_.sessions.find(change.id); found != t_.sessions.end())
      found->second.instance.clear();
  }
  void apply(const EndSession& change) {
    if (const auto found = t_.sessions.find(change.id); found != t_.sessions.end())
      found->second.ended = change.reason;
  }
  void apply(const EraseSession& change) {
    const auto found = t_.sessions.find(change.id);
    if (found != t_.sessions.end() && !found->second.ended.empty()) t_.sessions.erase(found);
  }
  void apply(const PutGraph& change) { t_.graphs[change.graph.graph_id] = change.graph; }
  void apply(const AddApiKey& change) { t_.api_keys.try_emplace(change.key.id, change.key); }
  void apply(const RevokeApiKey& change) {
    const auto found = t_.api_keys.find(change.id);
    if (found != t_.api_keys.end() && !found->second.revoked_at) found->second.revoked_at = now_;
  }
  void apply(const NoteApiKeyUse& change) {
    const auto found = t_.api_keys.find(change.id);
    if (found == t_.api_keys.end()) return;
    auto& at = found->second.last_used_at;
    at = std::max(at.value_or(now_), now_);
  }

  // Brings the thread's row up to date.
  void refresh(const std::string& id, const Touched& touched) {
    const auto found = t_.threads_.find(id);
    if (found == t_.threads_.end() || !found->second.row) return;
    auto& thread = found->second;
    const auto active = [&](const std::string& run) { return domain::is_active(t_.runs_[run].state); };
    const auto lease = t_.leases_.find(thread.lease);
    const auto* newest_run = thread.runs.empty() ? nullptr : &t_.runs_[*thread.runs.rbegin()];
    const bool failed = newest_run != nullptr && (newest_run->state == domain::RunState::failed ||
                                                  newest_run->state == domain::RunState::timed_out);
    const auto* head = find_checkpoint(t_, id, "", "");
    using enum domain::ThreadStatus;
    thread.status = idle;
    if (head != nullptr && has_next(head->saved.projection)) thread.status = interrupted;
    if (failed) thread.status = error;
    if (lease != t_.leases_.end() && lease->second.kind == LeaseKind::operation) thread.status = busy;
    if (std::ranges::any_of(thread.open, active)) thread.status = busy;
    thread.error = failed ? newest_run->error : std::nullopt;
    if (touched.changed) thread.row->updated_at = std::max(thread.row->updated_at, now_);
    if (touched.state) thread.state_updated_at = std::max(thread.state_updated_at, now_);
  }

  Tables& t_;
  const Env& env_;
  const Commit& commit_;
  WallTime now_;
  std::map<std::string, Touched> touched_;
  Committed result_;
};

Status Tables::judge(const Commit& commit) const {
  Facts facts(*this);
  return check_commit(facts, commit);
}

Result<Committed> Tables::commit(const Env& env, const Commit& commit) {
  if (auto status = judge(commit); !status) return fail(std::move(status.error()));
  return Applying(*this, env, commit).run();
}

}  // namespace dg::simulation
