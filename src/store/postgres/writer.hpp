// What writes commits, on one connection of its own: what queued while a transaction was being written is the
// next.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/env.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/series_cache.hpp"
#include "store/store.hpp"

namespace dg::store::postgres {

class Batch;

class Writer : public std::enable_shared_from_this<Writer> {
 public:
  using Done = std::move_only_function<void(Result<Committed>)>;
  struct Limits {
    std::size_t commits = 4096;                  // that may wait; more are refused
    std::size_t bytes = std::size_t{256} << 20;  // the same, by their size
    std::size_t batch = 128;                     // commits of one transaction
    std::size_t batch_bytes = std::size_t{8} << 20;
    Duration deadline = std::chrono::seconds(20);  // of a commit, with its waiting and its repetitions
    Duration least = std::chrono::seconds(10);     // that a transaction has, however long its commits waited
    Duration asking = std::chrono::seconds(60);    // what became of one, when its answer was lost
    Duration doubt = std::chrono::seconds(1);      // in which nothing is presumed, after it was wrong
  };

  // `on_events` is called after each transaction that may have written events.
  Writer(Env env, ConnectOptions options, Limits limits, std::function<void()> on_events = {})
      : env_(env), options_(std::move(options)), limits_(limits), on_events_(std::move(on_events)) {
    // An instance that was stopped in the middle of a transaction holds up the others for no longer.
    options_.idle_in_transaction_timeout = std::chrono::seconds(5);
  }

  // Queues a commit; `done` is called on the loop. False, and nothing is done, when the queue is full.
  bool submit(Commit commit, Done& done);
  // Whether anything is queued or under way.
  bool is_idle() const { return !running_; }
  void add_load(StoreLoad& load) const;
  // Lets go of the connection, which must be idle.
  void close() { connection_.reset(); }

 private:
  struct Job {
    Commit commit;
    std::size_t bytes;
    SteadyTime deadline;
    Done done;
  };
  using Commits = std::span<const Commit* const>;
  using Answers = std::vector<Result<Committed>>;
  // What became of one attempt, and whether there is to be another.
  struct Attempt {
    std::optional<Answers> answers;
    Failure failure;
    bool again = false;
  };

  static Task<void> run(std::shared_ptr<Writer> self);
  // Answers what has waited for too long, which happens while the database is away or silent.
  void refuse_late();
  // Does so when the first that waits has waited for too long, also while a transaction is under way.
  void watch_queue();
  std::vector<Job> take_batch();
  void answer(Job& job, Result<Committed> result);
  Task<Answers> write(Commits commits, SteadyTime deadline);
  Task<Answers> write_singly(Commits commits, SteadyTime deadline);
  Task<Attempt> attempt(Commits commits, SteadyTime deadline, bool presuming);
  Task<Outcome<void>> connect();
  Task<Attempt> after_failure(const Batch& batch, Answers answers, Failure failure);
  // Whether the transaction committed; a failure where nobody can say.
  Task<Outcome<bool>> ask_whether_committed(std::string transaction_id, SteadyTime deadline);
  Task<void> back_off(int attempts, SteadyTime deadline);

  Env env_;
  ConnectOptions options_;
  Limits limits_;
  std::function<void()> on_events_;
  std::unique_ptr<Connection> connection_;
  std::string incarnation_;  // of the server that it leads to
  SeriesCache cache_;
  SteadyTime presume_from_{};
  std::deque<Job> queue_;
  std::size_t queued_bytes_ = 0;
  Timers::Id watch_ = 0;  // while commits wait
  std::uint64_t commits_ = 0;
  std::uint64_t batches_ = 0;
  bool running_ = false;
};

}  // namespace dg::store::postgres
