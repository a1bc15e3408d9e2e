// The thread that writes. What queued while a transaction was being written is the next one.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/env.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/packer.hpp"
#include "store/sqlite/series.hpp"
#include "store/sqlite/wal_keeper.hpp"
#include "store/store.hpp"

namespace dg::store::sqlite {

class Writer {
 public:
  using Done = std::move_only_function<void(Result<Committed>)>;
  struct Limits {
    std::size_t commits;
    std::size_t bytes;
  };

  Writer(std::unique_ptr<Database> db, std::unique_ptr<WalKeeper> keeper, Env env, Limits limits,
         PackLimits packs);
  // Writes what is queued, then ends the thread.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Queues a commit. `done` is called on the loop, in the order of the calls. False, and nothing
  // is done, when the queue is full.
  bool submit(Commit commit, Done& done);
  // Fills in what concerns commits.
  void add_load(StoreLoad& load) const;

 private:
  struct Job {
    Commit commit;
    std::size_t bytes;
    Done done;
    boost::asio::executor_work_guard<Executor> keeps_loop;
  };
  using Batch = std::vector<Job>;

  void run();
  Batch take_batch();
  void write(Batch batch);
  void tend_log();
  void tend_packs();
  bool is_wanted() const;

  std::unique_ptr<Database> db_;
  SeriesWriter series_;
  Packer packer_;
  std::unique_ptr<WalKeeper> keeper_;
  Env env_;
  Executor executor_;
  Limits limits_;
  std::int64_t truncate_at_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  std::size_t queued_bytes_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t batches_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace dg::store::sqlite
