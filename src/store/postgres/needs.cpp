#include "store/postgres/needs.hpp"

#include "base/json.hpp"
#include "store/delta/document.hpp"

namespace dg::store::postgres {
namespace {

using enum domain::AggregateType;

// One commit's parts, each with what it needs.
class Gathering {
 public:
  explicit Gathering(Needs& needs) : needs_(needs) {}

  void add(const ThreadUnchanged& condition) { add_thread(condition.thread_id); }
  void add(const Fence& fence) { needs_.owners.insert(fence.owner); }
  void add(const SessionAt& condition) { needs_.sessions.insert(condition.session_id); }
  void add(const PutSession& put) { needs_.sessions.insert(put.session.id); }
  void add(const DisconnectSession& change) { needs_.sessions.insert(change.id); }
  void add(const EndSession& change) { needs_.sessions.insert(change.id); }
  void add(const EraseSession& change) { needs_.sessions.insert(change.id); }
  void add(const Append& append) {
    needs_.heads.emplace(append.id, append.aggregate);
    if (append.expected_version == 0 && !append.events.empty())
      needs_.created.emplace(append.id, append.aggregate);
    add_thread(append.thread_id);
  }
  void add(const PutThread& put) { add_thread(put.thread.id); }
  void add(const EraseThread& erase) {
    add_thread(erase.id);
    needs_.held_threads.insert(erase.id);
    needs_.erased_threads.insert(erase.id);
  }
  void add(const EraseAssistant& erase) { needs_.heads.emplace(erase.id, assistant); }
  void add(const PutRun& put) {
    needs_.heads.emplace(put.run.id, run);
    add_thread(put.run.thread_id);
    if (is_terminal(put.run.state)) needs_.streams[put.run.id].ends = true;
  }
  void add(const EraseRun& erase) {
    needs_.heads.emplace(erase.id, run);
    needs_.owners.insert(erase.id);
    needs_.erased_runs.insert(erase.id);
  }
  void add(const PutLease& put) {
    add_thread(put.lease.thread_id);
    needs_.owners.insert(put.lease.owner);
    needs_.held_threads.insert(put.lease.thread_id);
    needs_.checkpointed.insert(put.lease.thread_id);
  }
  void add(const DropLease& drop) { needs_.owners.insert(drop.owner); }
  void add(const PutCheckpoint& put) {
    const auto& c = put.checkpoint;
    const auto& key = c.key;
    add_thread(key.thread_id);
    needs_.checkpoints.insert(place_of(key));
    if (c.projection.size() >= delta::smallest_cut)
      add_large(key.thread_id, key.ns, json::View(c.projection)["values"]);
    for (const auto& v : c.values) {
      if (v.value.data.size() < delta::smallest_cut) continue;
      needs_.large_values.emplace(key.thread_id, key.ns, v.channel, v.version);
      needs_.series.insert({key.thread_id, key.ns, v.channel, delta::SeriesKind::blob});
    }
  }
  void add(const PutWrites& put) {
    const auto& [thread_id, ns, checkpoint_id] = put.writes.key;
    add_thread(thread_id);
    if (!put.writes.run_id.empty()) needs_.checkpoints.emplace(thread_id, ns, checkpoint_id);
    if (json::View(put.writes.task_patch).is_object())
      needs_.patches.emplace(thread_id, ns, checkpoint_id, put.writes.task_id);
  }
  void add(const CopyCheckpoints& copy) {
    add_thread(copy.source);
    add_thread(copy.target);
  }
  void add(const EraseCheckpoints& erase) { add_thread(erase.thread_id); }
  void add(const EraseCheckpointsOfRun& erase) { needs_.erased_runs.insert(erase.run_id); }
  void add(const AppendFrames& append) {
    ++needs_.streams[append.run_id].appends;
    add_thread(append.thread_id);
    for (const auto& frame : append.frames)
      if (const auto ns = namespace_of_values(append, frame))
        add_large(append.thread_id, *ns, json::View(frame.data));
  }
  void add(const EraseFrames& erase) {
    needs_.erased_runs.insert(erase.run_ids.begin(), erase.run_ids.end());
  }
  template <class AnyOther>
  void add(const AnyOther&) {}

 private:
  void add_thread(const std::string& id) {
    if (!id.empty()) needs_.heads.emplace(id, thread);
  }

  // The members that delta::cut cuts out.
  void add_large(const std::string& thread_id, const std::string& ns, json::View object) {
    using delta::SeriesKind;
    if (object.raw().size() < delta::smallest_cut) return;
    if (!object.is_object()) {
      needs_.series.insert({thread_id, ns, "", SeriesKind::json});
      return;
    }
    for (const auto& member : object.members())
      if (member.value.raw().size() >= delta::smallest_cut)
        needs_.series.insert({thread_id, ns, member.key, SeriesKind::json});
  }

  Needs& needs_;
};

}  // namespace

void Needs::add(const Commit& commit) {
  Gathering gathering(*this);
  for (const auto& condition : commit.conditions)
    std::visit([&](const auto& c) { gathering.add(c); }, condition);
  for (const auto& append : commit.appends) gathering.add(append);
  for (const auto& change : commit.changes) std::visit([&](const auto& c) { gathering.add(c); }, change);
}

bool is_alone(const Change& change) {
  return std::holds_alternative<EraseAssistant>(change) || std::holds_alternative<EraseThread>(change) ||
         std::holds_alternative<EraseRun>(change) || std::holds_alternative<CopyCheckpoints>(change) ||
         std::holds_alternative<EraseCheckpoints>(change) ||
         std::holds_alternative<EraseCheckpointsOfRun>(change) || std::holds_alternative<EraseFrames>(change);
}

std::optional<std::string> namespace_of_values(const AppendFrames& change, const Frame& frame) {
  constexpr std::string_view values = "values";
  const std::string_view event = frame.event;
  if (change.thread_id.empty() || frame.data.size() < delta::smallest_cut) return std::nullopt;
  if (event == values) return "";
  if (event.starts_with(values) && event[values.size()] == '|')
    return std::string(event.substr(values.size() + 1));
  return std::nullopt;
}

}  // namespace dg::store::postgres
