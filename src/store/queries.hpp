// The reading half of the store's port. A read sees every commit that was answered before it began.
// The `version` of an assistant, thread or run that is read is that of its newest event, whatever
// it was when its row was put: it is what the next append may expect.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/async.hpp"
#include "base/result.hpp"
#include "store/records.hpp"

namespace dg::store {

template <class T>
using Reply = Task<Result<T>>;

struct Page {
  std::int64_t limit = 10;
  std::int64_t offset = 0;
};

struct AssistantFilter {
  std::string metadata = "{}";  // contained in the assistant's
  std::string graph_id{};       // empty: any
  std::string name{};           // case-insensitive part; empty: any
  std::string sort_by = "created_at";
  bool descending = true;
  std::optional<std::string> owner{};  // only this user's and nobody's; none: all
};

struct ThreadFilter {
  std::vector<std::string> ids{};  // empty: any
  std::string metadata = "{}";
  std::string values = "{}";  // contained in the newest checkpoint's values
  std::optional<domain::ThreadStatus> status{};
  bool temporary = false;  // also temporary ones; those with a paused run are there in any case
  std::string sort_by = "updated_at";
  bool descending = true;
  std::optional<std::string> owner{};  // only this user's; none: all
};

struct RunFilter {
  std::string thread_id{};                 // empty: any
  std::vector<domain::RunState> states{};  // empty: any
  std::vector<std::string> ids{};          // empty: any
  std::optional<std::string> owner{};      // only this user's; none: all
};

// Runs that may be started.
struct Claimable {
  std::vector<domain::Run> runs;
  // Until it is called, once, no other instance is given them. May be empty.
  std::function<Task<void>()> release;
};

template <class T>
struct Found {
  std::vector<T> rows;
  std::int64_t total = 0;  // of all pages
};

// How many runs wait and run.
struct ActiveRuns {
  std::int64_t queued = 0;
  std::int64_t in_progress = 0;
};

class Queries {
 public:
  virtual ~Queries() = default;

  virtual Reply<std::optional<domain::Assistant>> assistant(std::string id) = 0;
  virtual Reply<Found<domain::Assistant>> assistants(AssistantFilter filter, Page page) = 0;
  // Newest first.
  virtual Reply<std::vector<AssistantVersion>> assistant_versions(std::string id, std::string metadata,
                                                                  Page page) = 0;
  virtual Reply<std::optional<AssistantVersion>> assistant_version(std::string id, std::int64_t number) = 0;

  virtual Reply<std::optional<ThreadRow>> thread(std::string id) = 0;
  virtual Reply<Found<ThreadRow>> threads(ThreadFilter filter, Page page) = 0;
  // A thread that never was has turn 0 and no lease. Erasing a thread is a turn.
  virtual Reply<ThreadHead> thread_head(std::string id) = 0;
  virtual Reply<ThreadNow> thread_now(std::string id) = 0;

  virtual Reply<std::optional<domain::Run>> run(std::string id) = 0;
  // Newest first.
  virtual Reply<std::vector<domain::Run>> runs(RunFilter filter, Page page) = 0;
  // Active and paused runs of a thread, oldest first.
  virtual Reply<std::vector<domain::Run>> open_runs(std::string thread_id) = 0;
  // Runs in progress whose cancel was asked for.
  virtual Reply<std::vector<domain::Run>> stopping_runs() = 0;
  // Runs whose attempt in progress began before that time and was not asked to stop, oldest first.
  virtual Reply<std::vector<domain::Run>> overdue_runs(WallTime begun_before, std::int64_t limit) = 0;
  // Queued runs that may start at `now` for one of the graphs: due, nobody owns their thread, no run is in
  // progress on it, and no other queued run of it comes first, whatever its graph. A run that lost its
  // owner comes before those that never started, also while it is not due yet: it goes on from the
  // thread's newest checkpoint, which must stay its own. Else an older run that is due comes first.
  // Those first that were due first. Those that another instance is about to start are left out.
  virtual Reply<Claimable> claimable_runs(std::vector<std::string> graph_ids, WallTime now,
                                          std::int64_t limit) = 0;
  // When the next queued run becomes due after `now`.
  virtual Reply<std::optional<WallTime>> next_due(WallTime now) = 0;
  virtual Reply<ActiveRuns> active_runs() = 0;
  // Runs that are over since before `ended`, still have frames, and asked for resumability or not.
  virtual Reply<std::vector<std::string>> runs_with_frames(WallTime ended, bool resumable,
                                                           std::int64_t limit) = 0;
  virtual Reply<std::vector<domain::EventRecord>> events(std::string aggregate_id) = 0;

  virtual Reply<std::optional<CheckpointTuple>> checkpoint(
      std::string thread_id, std::string ns,
      std::string checkpoint_id) = 0;                                                    // empty id: newest
  virtual Reply<std::vector<CheckpointTuple>> checkpoints(CheckpointFilter filter) = 0;  // newest first
  // For each channel, what its value before that checkpoint follows from: the value that the nearest
  // ancestor stores for its version of the channel, if any does, and the writes since, that
  // ancestor's own included.
  virtual Reply<std::vector<ChannelHistory>> channel_history(std::string thread_id, std::string ns,
                                                             std::string checkpoint_id,
                                                             std::vector<std::string> channels) = 0;
  virtual Reply<std::optional<CheckpointState>> state(std::string thread_id, std::string ns,
                                                      std::string checkpoint_id) = 0;  // empty id: newest
  virtual Reply<std::vector<CheckpointState>> states(CheckpointFilter filter) = 0;     // newest first

  struct FramePage {
    std::int64_t first = 0;  // the number of the first frame
    std::vector<Frame> frames;
  };
  // Frames of a run from number `from` on, at most about `max_bytes` of them and at least one if
  // there is one.
  virtual Reply<FramePage> frames(std::string run_id, std::int64_t from, std::size_t max_bytes) = 0;
  // How many frames the run has.
  virtual Reply<std::int64_t> frame_count(std::string run_id) = 0;
  virtual Reply<std::optional<Frame>> last_frame(std::string run_id, std::string event) = 0;

  virtual Reply<std::optional<Item>> item(std::vector<std::string> ns, std::string key) = 0;
  // Latest updated first, then by key. `prefix` counts in whole labels.
  virtual Reply<std::vector<Item>> items(ItemSearch search) = 0;
  // In the order of their labels.
  virtual Reply<std::vector<std::vector<std::string>>> namespaces(NamespaceSearch search) = 0;

  virtual Reply<std::vector<Session>> sessions() = 0;
  virtual Reply<std::optional<Session>> session(std::string id) = 0;
  virtual Reply<std::vector<Lease>> leases() = 0;
  virtual Reply<std::optional<Lease>> lease(std::string owner) = 0;
  virtual Reply<std::vector<GraphRow>> graphs() = 0;

  virtual Reply<std::optional<ApiKey>> api_key(std::string id) = 0;
  // Oldest first, also those that are over.
  virtual Reply<std::vector<ApiKey>> api_keys() = 0;

  // The schema's version, after a round trip through the database; fails soon where that does not answer.
  virtual Reply<std::int64_t> ping() = 0;
};

}  // namespace dg::store
