// The threads that read, each with a connection of its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "store/sqlite/database.hpp"
#include "store/store.hpp"

namespace dg::store::sqlite {

// Runs `work` inside one read transaction, which sees everything committed before it, and gives the
// error of the database, if any.
Status read_in_transaction(Database& db, std::move_only_function<void(Database&)>& work,
                           std::chrono::milliseconds deadline);

class Readers {
 public:
  using Job = std::move_only_function<void(Database&)>;

  Readers(std::vector<std::unique_ptr<Database>> connections, std::size_t max_queued);
  // Does what is queued, then ends the threads.
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  // Queues a job for the next free thread; jobs begin in the order of the calls. False, and
  // nothing is done, when the queue is full.
  bool submit(Job job);
  // Fills in what concerns reads.
  void add_load(StoreLoad& load) const;

 private:
  void run(Database& db);

  std::vector<std::unique_ptr<Database>> connections_;
  std::size_t max_queued_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace dg::store::sqlite
