// The tables of a store in memory: what is durable. Changes and reads are plain calls, so that the whole
// of a commit happens at once.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/commit_check.hpp"
#include "store/store.hpp"

namespace dg::simulation {

using namespace dg::store;

class Tables {
 public:
  struct Head {
    std::int64_t version = 0, seq = 0, turn = 0;
    bool erased = false;
  };
  struct Thread {
    std::optional<domain::Thread> row;  // none: runs may exist all the same
    domain::ThreadStatus status = domain::ThreadStatus::idle;
    std::optional<domain::RunError> error;
    WallTime state_updated_at{};
    std::set<std::string> runs, open;  // open: active and paused
    std::string lease;                 // its owner
  };
  struct Task {
    std::map<std::int64_t, StoredWrite> writes;
    std::string patch;  // empty: none
  };
  // A task as it was before a run, which had not written the checkpoint, wrote to it.
  struct Undo {
    std::string run_id;
    std::string task_id;
    std::optional<Task> before;
  };
  struct Checkpoint {
    bool exists = false;  // else there are only writes that came before it
    NewCheckpoint saved;
    std::map<std::string, Task> tasks;
    std::vector<Undo> undo;  // in the order of the runs' first writes
  };
  struct Namespace {
    std::map<std::string, Checkpoint> checkpoints;
    std::map<std::pair<std::string, std::string>, TypedBlob> values;  // by channel and version
  };
  using Space = std::map<std::string, Namespace>;  // the namespaces of a thread

  Status judge(const Commit& commit) const;
  // Judges the commit and, where it may be applied, applies all of it.
  Result<Committed> commit(const Env& env, const Commit& commit);

  const Head* head(domain::AggregateType type, const std::string& id) const;
  const Thread* thread(const std::string& id) const;
  const domain::Run* run(const std::string& id) const;
  const Space* space(const std::string& thread_id) const;
  const std::vector<Frame>& frames(const std::string& run_id) const;
  const std::vector<domain::EventRecord>& events(const std::string& aggregate_id) const;
  const std::map<std::string, Lease>& leases() const { return leases_; }
  const std::map<std::string, domain::Run>& runs() const { return runs_; }
  const std::set<std::string>& queued() const { return queued_; }
  const std::map<std::string, Thread>& threads() const { return threads_; }
  std::int64_t version_of(domain::AggregateType type, const std::string& id) const;

  std::map<std::string, domain::Assistant> assistants;
  std::map<std::string, std::map<std::int64_t, AssistantVersion>> assistant_versions;
  std::map<std::pair<std::string, std::string>, Item> items;  // by namespace_key and key
  std::map<std::string, Session> sessions;
  std::map<std::string, GraphRow> graphs;
  std::map<std::string, ApiKey> api_keys;

 private:
  friend class Applying;
  using HeadKey = std::pair<domain::AggregateType, std::string>;
  std::map<HeadKey, Head> heads_;
  std::unordered_map<std::string, std::vector<domain::EventRecord>> events_;
  std::map<std::string, Thread> threads_;
  std::map<std::string, domain::Run> runs_;
  std::set<std::string> queued_;
  std::map<std::string, Lease> leases_;
  std::map<std::string, Space> spaces_;
  std::unordered_map<std::string, std::vector<Frame>> frames_;
};

// The newest checkpoint of a namespace, or the one named; null when there is none.
const Tables::Checkpoint* find_checkpoint(const Tables& tables, const std::string& thread_id,
                                          const std::string& ns, const std::string& checkpoint_id);
// The reads of the port.
std::optional<ThreadRow> read_thread(const Tables& tables, const std::string& id);
Found<ThreadRow> read_threads(const Tables& tables, const ThreadFilter& filter, Page page);
ThreadHead read_thread_head(const Tables& tables, const std::string& id);
ThreadNow read_thread_now(const Tables& tables, const std::string& id);
std::optional<domain::Run> read_run(const Tables& tables, const std::string& id);
std::vector<domain::Run> read_runs(const Tables& tables, const RunFilter& filter, Page page);
std::vector<domain::Run> read_open_runs(const Tables& tables, const std::string& thread_id);
std::vector<domain::Run> read_claimable_runs(const Tables& tables, const std::vector<std::string>& graphs,
                                             WallTime now, std::int64_t limit);
std::optional<WallTime> read_next_due(const Tables& tables, WallTime now);
ActiveRuns read_active_runs(const Tables& tables);
std::vector<std::string> read_runs_with_frames(const Tables& tables, WallTime ended, bool resumable,
                                               std::int64_t limit);
std::optional<domain::Assistant> read_assistant(const Tables& tables, const std::string& id);
Found<domain::Assistant> read_assistants(const Tables& tables, const AssistantFilter& filter, Page page);
std::vector<AssistantVersion> read_assistant_versions(const Tables& tables, const std::string& id,
                                                      const std::string& metadata, Page page);
std::optional<AssistantVersion> read_assistant_version(const Tables& tables, const std::string& id,
                                                       std::int64_t number);
std::optional<CheckpointTuple> read_checkpoint(const Tables& tables, const CheckpointKey& key);
std::vector<CheckpointTuple> read_checkpoints(const Tables& tables, const CheckpointFilter& filter);
std::vector<ChannelHistory> read_channel_history(const Tables& tables, const CheckpointKey& key,
                                                 const std::vector<std::string>& channels);
std::optional<CheckpointState> read_state(const Tables& tables, const CheckpointKey& key);
std::vector<CheckpointState> read_states(const Tables& tables, const CheckpointFilter& filter);
Queries::FramePage read_frames(const Tables& tables, const std::string& run_id, std::int64_t from,
                               std::size_t max_bytes);
std::optional<Frame> read_last_frame(const Tables& tables, const std::string& run_id,
                                     const std::string& event);
std::vector<Item> read_items(const Tables& tables, const ItemSearch& search);
std::vector<std::vector<std::string>> read_namespaces(const Tables& tables, const NamespaceSearch& search);

}  // namespace dg::simulation
