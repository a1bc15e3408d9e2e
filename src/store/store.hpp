// The port of everything durable. One commit changes aggregates, read tables and all that hangs on
// them at once or not at all; adapters gather the commits that wait and write them together.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/async.hpp"
#include "base/result.hpp"
#include "store/queries.hpp"
#include "store/records.hpp"

namespace dg::store {

struct NewEvent {
  std::string type;
  std::string payload;
};

// Events for one aggregate. `expected_version` is its version before them (0: it must not exist,
// or have been erased; an id that is created again goes on where its versions ended);
// without one the events go on top of whatever is there, for facts that need no decision.
struct Append {
  domain::AggregateType aggregate = domain::AggregateType::run;
  std::string id;
  std::optional<std::int64_t> expected_version;
  std::string thread_id;  // the thread whose log they enter; its turn grows when a run's events do
  std::vector<NewEvent> events;
};

// --- conditions: all are checked before anything is written -----------------------------------
// The thread's runs have not changed since `turn` was read. Else Errc::conflict.
struct ThreadUnchanged {
  std::string thread_id;
  std::int64_t turn = 0;
};
// The owner still has that epoch, and `first_n` is the next number due. Else Errc::superseded; but
// Errc::conflict where some of the numbers were applied before, as what came over an older connection may be:
// with the message "already applied" where all were, so that a repeated message can be acknowledged.
// Moves the lease's applied_n to `last_n`. Without numbers (both 0) only the epoch is checked.
struct Fence {
  std::string owner;
  std::int64_t epoch = 0;
  std::int64_t first_n = 0;
  std::int64_t last_n = 0;
};
// The session has that connection still, or none yet, which 0 stands for, is not over, and has beaten no
// more often, where that is given. Else Errc::conflict.
struct SessionAt {
  std::string session_id;
  std::int64_t connection = 0;
  std::optional<std::int64_t> beats = {};
};
using Condition = std::variant<ThreadUnchanged, Fence, SessionAt>;

// --- changes ----------------------------------------------------------------------------------
struct PutAssistant {
  domain::Assistant assistant;
  bool new_version = false;  // also adds its content as version `number`
};
struct EraseAssistant {
  std::string id;
};
struct PutThread {
  domain::Thread thread;
};
// The thread with its runs, frames, checkpoints, writes and lease. Its events stay, and its turn grows.
struct EraseThread {
  std::string id;
};
// A run that has a checkpoint keeps that mark. A run that is put as over has its frames packed.
struct PutRun {
  domain::Run run;
};
struct MarkRunCheckpoint {
  std::string run_id;
};
// The run with its frames, its lease, the checkpoints that it wrote with their writes, and the
// values that no other checkpoint needs. Its events stay.
struct EraseRun {
  std::string id;
};
// Takes or renews a lease with applied_n 0. Errc::busy when another owner holds the thread,
// Errc::conflict when the thread was deleted.
struct PutLease {
  Lease lease;
};
struct DropLease {
  std::string owner;
};
struct PutCheckpoint {
  NewCheckpoint checkpoint;
};
struct PutWrites {
  NewWrites writes;
};
// Copies every checkpoint, value and write; `thread_id` inside metadata follows. The copies have no
// writer: erasing a run of the source leaves them.
struct CopyCheckpoints {
  std::string source;
  std::string target;
};
// Values go when no checkpoint of their namespace names them any more.
struct EraseCheckpoints {
  std::string thread_id;
  bool keep_latest = false;  // of each namespace
};
struct EraseCheckpointsOfRun {
  std::string run_id;  // in the checkpoint's metadata or as its writer, on any thread
};
struct AppendFrames {
  std::string run_id;
  std::string thread_id;
  std::vector<Frame> frames;
};
struct EraseFrames {
  std::vector<std::string> run_ids;
};
struct PutItem {
  std::vector<std::string> ns;
  std::string key;
  std::string value;
};
struct EraseItem {
  std::vector<std::string> ns;
  std::string key;
};
struct PutSession {
  Session session;
};
// It has no connection any more.
struct DisconnectSession {
  std::string id;
};
// It is over; its leases are still to be taken away.
struct EndSession {
  std::string id;
  std::string reason;
};
// Where it is over: one that has come by the same id since then stays.
struct EraseSession {
  std::string id;
};
struct PutGraph {
  GraphRow graph;
};
// A new key. An id that is there already is left alone.
struct AddApiKey {
  ApiKey key;
};
// From the time of the commit on, or since it was revoked first.
struct RevokeApiKey {
  std::string id;
};
// It was used at the time of the commit.
struct NoteApiKeyUse {
  std::string id;
};

using Change = std::variant<PutAssistant, EraseAssistant, PutThread, EraseThread, PutRun, MarkRunCheckpoint,
                            EraseRun, PutLease, DropLease, PutCheckpoint, PutWrites, CopyCheckpoints,
                            EraseCheckpoints, EraseCheckpointsOfRun, AppendFrames, EraseFrames, PutItem,
                            EraseItem, PutSession, DisconnectSession, EndSession, EraseSession, PutGraph,
                            AddApiKey, RevokeApiKey, NoteApiKeyUse>;

struct Commit {
  std::vector<Condition> conditions{};
  std::vector<Append> appends{};
  std::vector<Change> changes{};  // applied in order, after the appends
  std::string event_metadata = "{}";
  // When it was decided: the time of its events and of everything that it changes, so that what
  // follows from the events later is what was written with them. None: when it is applied.
  std::optional<WallTime> at{};
};

struct Committed {
  // For each AppendFrames in order: the number of its first frame among the run's.
  std::vector<std::int64_t> first_frames;
  // For each PutLease in order: whether its thread has a checkpoint.
  std::vector<bool> has_checkpoints;
};

// What waits for the database, its bounds, and what was written since the store was opened.
struct StoreLoad {
  std::size_t queued_commits = 0, max_queued_commits = 0;
  std::size_t queued_bytes = 0, max_queued_bytes = 0;
  std::size_t queued_reads = 0, max_queued_reads = 0;
  std::uint64_t commits = 0;  // answered, refused ones among them
  std::uint64_t batches = 0;  // transactions they were written in
  // Connections to a database server for reads; none of a store that has none.
  std::size_t connections = 0, connections_in_use = 0, max_connections = 0;
  std::uint64_t connections_opened = 0, connections_lost = 0;  // since the store was opened
};

// Told of each commit that was answered: how long that took, queueing included, and the answer.
using CommitWatch = std::function<void(Duration, const Result<Committed>&)>;

// One store serves one event loop; answers arrive on it. Every call ends within its adapter's
// deadline. Errors of reads: internal (the database failed). "Nothing there" is an empty optional.
class Store : public Queries {
 public:
  // Returns when the commit is durable. conflict: a version or turn moved on; superseded, busy: see
  // the conditions; internal: the database failed, nothing was written.
  // Every commit that touches a thread's runs, leases or checkpoints also brings the thread's row
  // up to date: busy while a run is active or an operation holds it; else error when the newest run
  // failed or timed out; else interrupted while the newest root checkpoint has unvisited nodes;
  // else idle. Events of the thread's log, runs and checkpoints that are put move its updated_at; a
  // root checkpoint moves its state_updated_at.
  Task<Result<Committed>> commit(Commit commit);
  // From now on `watch`, empty for nobody, is told of commits. Timers outlive the store.
  void watch_commits(const Timers& timers, CommitWatch watch);
  // Counts a heartbeat of each of these sessions, for other instances to see. One that is lost with the
  // database is heard again.
  virtual Task<Status> beat(std::vector<std::string> sessions) = 0;
  virtual StoreLoad load() const = 0;
  // Writes what is queued and lets go of the database, in the shape it is to rest in. Blocks; what waits for
  // an answer gets none, and no call may follow.
  virtual void close() = 0;

 protected:
  virtual Task<Result<Committed>> do_commit(Commit commit) = 0;

 private:
  Task<Result<Committed>> watched(Commit commit);

  const Timers* timers_ = nullptr;
  CommitWatch watch_;
};

}  // namespace dg::store
