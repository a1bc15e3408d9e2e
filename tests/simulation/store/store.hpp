// A store in memory that keeps the port's promises and the habits of a disk: commits queue while one
// flush is under way and are written together by the next, reads and flushes take time, and whoever dies
// loses what was not flushed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "simulation/store/tables.hpp"

namespace dg::simulation {

class DatabaseLink;

// What outlives the process, and how fast it is. Not owned by the store.
struct Disk {
  Tables tables;
  // Virtual times, asked for each call; zero is a call that still suspends its caller.
  std::function<Duration()> read_time = [] { return Duration{}; };
  std::function<Duration()> flush_time = [] { return Duration{}; };
  // Whether it does not work at this moment: reads and flushes fail, and nothing is written.
  std::function<bool()> fails = [] { return false; };
  // Told of each commit at the instant at which it is durable.
  std::function<void(const Commit&, const Committed&)> on_durable = [](const Commit&, const Committed&) {};
};

class SimulatedStore : public Store {
 public:
  // With a link, which outlives it, the tables are a database's that others share: calls go there and their
  // answers come back, are tried again where the connection was lost, and fail after their time.
  SimulatedStore(Env env, Disk& disk, DatabaseLink* link = nullptr)
      : env_(env), disk_(disk), link_(link), answered_(env.timers) {}
  ~SimulatedStore() override;
  SimulatedStore(const SimulatedStore&) = delete;
  SimulatedStore& operator=(const SimulatedStore&) = delete;

  // The process dies. `landed`: the flush under way, if there is one, had reached the disk.
  void die(bool landed);

  Task<Result<Committed>> do_commit(Commit commit) override;
  StoreLoad load() const override;
  void close() override { die(true); }

  Reply<std::optional<domain::Assistant>> assistant(std::string id) override;
  Reply<Found<domain::Assistant>> assistants(AssistantFilter filter, Page page) override;
  Reply<std::vector<AssistantVersion>> assistant_versions(std::string id, std::string metadata,
                                                          Page page) override;
  Reply<std::optional<AssistantVersion>> assistant_version(std::string id, std::int64_t number) override;
  Reply<std::optional<ThreadRow>> thread(std::string id) override;
  Reply<Found<ThreadRow>> threads(ThreadFilter filter, Page page) override;
  Reply<ThreadHead> thread_head(std::string id) override;
  Reply<ThreadNow> thread_now(std::string id) override;
  Reply<std::optional<domain::Run>> run(std::string id) override;
  Reply<std::vector<domain::Run>> runs(RunFilter filter, Page page) override;
  Reply<std::vector<domain::Run>> open_runs(std::string thread_id) override;
  Reply<std::vector<domain::Run>> stopping_runs() override;
  Reply<std::vector<domain::Run>> overdue_runs(WallTime begun_before, std::int64_t limit) override;
  Reply<Claimable> claimable_runs(std::vector<std::string> graph_ids, WallTime now,
                                  std::int64_t limit) override;
  Reply<std::optional<WallTime>> next_due(WallTime now) override;
  Reply<ActiveRuns> active_runs() override;
  Reply<std::vector<std::string>> runs_with_frames(WallTime ended, bool resumable,
                                                   std::int64_t limit) override;
  Reply<std::vector<domain::EventRecord>> events(std::string aggregate_id) override;
  Reply<std::optional<CheckpointTuple>> checkpoint(std::string thread_id, std::string ns,
                                                   std::string checkpoint_id) override;
  Reply<std::vector<CheckpointTuple>> checkpoints(CheckpointFilter filter) override;
  Reply<std::vector<ChannelHistory>> channel_history(std::string thread_id, std::string ns,
                                                     std::string checkpoint_id,
                                                     std::vector<std::string> channels) override;
  Reply<std::optional<CheckpointState>> state(std::string thread_id, std::string ns,
                                              std::string checkpoint_id) override;
  Reply<std::vector<CheckpointState>> states(CheckpointFilter filter) override;
  Reply<FramePage> frames(std::string run_id, std::int64_t from, std::size_t max_bytes) override;
  Reply<std::int64_t> frame_count(std::string run_id) override;
  Reply<std::optional<Frame>> last_frame(std::string run_id, std::string event) override;
  Reply<std::optional<Item>> item(std::vector<std::string> ns, std::string key) override;
  Reply<std::vector<Item>> items(ItemSearch search) override;
  Reply<std::vector<std::vector<std::string>>> namespaces(NamespaceSearch search) override;
  Reply<std::vector<Session>> sessions() override;
  Reply<std::optional<Session>> session(std::string id) override;
  Task<Status> beat(std::vector<std::string> sessions) override;
  Reply<std::vector<Lease>> leases() override;
  Reply<std::optional<Lease>> lease(std::string owner) override;
  Reply<std::vector<GraphRow>> graphs() override;
  Reply<std::optional<ApiKey>> api_key(std::string id) override;
  Reply<std::vector<ApiKey>> api_keys() override;
  Reply<std::int64_t> ping() override;

 protected:
  // What a planted bug of the store needs beside the port. A commit is spoiled at the instant at which it
  // is judged: much may have become durable since it was handed over.
  virtual void spoil(Commit&) {}
  Env& env() { return env_; }
  Disk& disk() { return disk_; }
  DatabaseLink* link() { return link_; }

 private:
  using Done = std::move_only_function<void(Result<Committed>)>;
  using Answers = std::vector<Result<Committed>>;
  struct Job {
    Commit commit;
    Done done;
    SteadyTime deadline{};
  };
  void submit(Job job);
  void flush();
  void flushed();
  Answers write(std::vector<Job>& batch);
  void answer(std::vector<Job>& batch, Answers answers);

  // --- over a link (shared.cpp) ---
  Task<void> write_shared();
  Task<Answers> try_shared(std::vector<Job>& batch);
  Session with_life(Session session) const;
  // Suspends the caller for that long, at the least until the loop comes round.
  Task<void> pause(Duration time);
  template <class T, class Fn>
  Reply<T> read(Fn fn, Duration patience = std::chrono::seconds(30));

  Env env_;
  Disk& disk_;
  DatabaseLink* link_;
  Signal answered_;
  bool writing_ = false;  // over the link
  std::vector<Job> queue_, flushing_;
  Timers::Id timer_ = 0;
  std::uint64_t commits_ = 0, batches_ = 0;
};

}  // namespace dg::simulation
