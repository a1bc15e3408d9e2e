// What the store keeps beside the aggregates.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/env.hpp"
#include "domain/assistant.hpp"
#include "domain/event.hpp"
#include "domain/run.hpp"
#include "domain/thread.hpp"

namespace dg::store {

// An opaque value of a graph library. Never decoded.
struct TypedBlob {
  std::string type;
  std::string data;
};

struct ChannelValue {
  std::string channel;
  std::string version;
  TypedBlob value;
};

struct CheckpointKey {
  std::string thread_id;
  std::string ns;
  std::string checkpoint_id;
};

// A checkpoint as a worker writes it.
struct NewCheckpoint {
  CheckpointKey key;
  std::string parent_id;                // empty: none
  std::string run_id;                   // the run that wrote it; empty for an operation
  TypedBlob checkpoint;                 // without the channels' values
  std::string channel_versions = "{}";  // JSON: channel -> version
  std::vector<ChannelValue> values;     // versions that are new
  std::string metadata = "{}";
  std::string projection = "null";  // {values, next, tasks, created_at}, or null where there is none
};

struct Write {
  std::int64_t idx = 0;  // negative: replaces what is there; else it is left alone
  std::string channel;
  TypedBlob value;
};

struct NewWrites {
  CheckpointKey key;
  std::string task_id;
  std::string task_path;
  std::vector<Write> writes;
  std::string task_patch = "null";  // merged over the task of that id in the checkpoint's projection
  std::string run_id{};             // their writer's; empty: an operation's
};

struct StoredWrite {
  std::string task_id;
  std::string task_path;
  Write write;
};

struct CheckpointTuple {
  CheckpointKey key;
  std::string parent_id;
  TypedBlob checkpoint;
  std::string metadata;
  std::vector<ChannelValue> values;
  std::vector<StoredWrite> writes;  // in the order of (task_path, task_id, idx)
};

// A checkpoint as the API shows it. `projection` has the patches of its writes applied.
struct CheckpointState {
  CheckpointKey key;
  std::string parent_id;
  std::string metadata;
  std::string projection;
};

struct CheckpointFilter {
  std::optional<std::string> thread_id{};  // none: all
  std::optional<std::string> ns{};         // none: all
  std::string checkpoint_id{};             // empty: any
  std::string before{};                    // ids smaller than this; empty: any
  std::string metadata = "{}";             // contained in the checkpoint's
  std::int64_t limit = 0;                  // 0: no limit
};

struct ChannelHistory {
  std::string channel;
  std::vector<StoredWrite> writes;  // oldest first
  std::optional<TypedBlob> seed;
};

// A stream frame: `event` as the legacy stream names it (values, messages|ns), `data` JSON text.
struct Frame {
  std::string event;
  std::string data;
};

struct Item {
  std::vector<std::string> ns;
  std::string key;
  std::string value;  // JSON
  WallTime created_at{};
  WallTime updated_at{};
};

struct ItemSearch {
  std::vector<std::string> prefix{};  // whole labels
  std::string filter = "{}";          // field -> value, or -> {$eq,$ne,$gt,$gte,$lt,$lte: value}
  std::int64_t limit = 10;
  std::int64_t offset = 0;
};

struct NamespaceSearch {
  std::vector<std::string> prefix{};  // "*" matches any label
  std::vector<std::string> suffix{};
  std::int64_t max_depth = 0;  // 0: no limit
  std::int64_t limit = 100;
  std::int64_t offset = 0;
};

// Who may write for a run or operation now. One lease owns a thread at a time.
enum class LeaseKind { run, operation };
struct Lease {
  std::string owner;  // the run's or operation's id
  LeaseKind kind = LeaseKind::run;
  std::string thread_id;
  std::int64_t epoch = 0;
  std::string session_id;      // empty: the server itself
  std::int64_t applied_n = 0;  // the last numbered message that is durable
};

// A worker's session. Liveness, not history.
struct Session {
  std::string id;
  std::string secret_hash;
  std::string worker;  // JSON: name, pid, language, versions
  std::string revision;
  std::int64_t slots = 0;
  bool supervised = false;
  std::string graphs;  // JSON list, as registered
  WallTime connected_at{};
  bool draining = false;
  std::string instance;         // to which it is connected; empty: to none
  std::int64_t connection = 0;  // grows with each of its connections
  std::string ended;            // why it is over; empty: it is not
  // Only read, not put:
  std::int64_t beats = 0;       // grows with each of its heartbeats (Store::beat)
  bool instance_alive = false;  // as far as the database knows
};

// A key for the API: who shows its secret acts as its user, in its role.
struct ApiKey {
  std::string id;
  std::string secret_hash;  // SHA-256, as hexadecimal digits
  std::string user;
  std::string role;
  std::string name;  // for people
  WallTime created_at{};
  std::optional<WallTime> expires_at{};
  std::optional<WallTime> last_used_at{};  // about when
  std::optional<WallTime> revoked_at{};
};

// A graph that some worker registered or langgraph.json names.
struct GraphRow {
  std::string graph_id;
  std::string description;
  std::string error = "null";  // JSON of the import error of the newest registration, or null
  WallTime updated_at{};
  bool declared = false;  // the project's langgraph.json names it, or did once
};

struct ThreadRow {
  domain::Thread thread;
  domain::ThreadStatus status = domain::ThreadStatus::idle;
  WallTime state_updated_at{};
  std::optional<domain::RunError> error;  // of the last run, when that failed
  std::optional<CheckpointState> head;    // the newest root checkpoint
};

// The lock of a thread's decisions: `turn` grows with every event of one of its runs.
struct ThreadHead {
  std::int64_t turn = 0;
  std::optional<Lease> lease;
};

// All that decides about a thread's next run, as it was at one moment: the thread, if it exists, without its
// state, and its active and paused runs, oldest first.
struct ThreadNow {
  ThreadHead head;
  std::optional<domain::Thread> thread;
  std::vector<domain::Run> open;
};

struct AssistantVersion {
  std::string assistant_id;
  std::int64_t number = 0;
  domain::AssistantContent content;
  WallTime created_at{};
};

}  // namespace dg::store
