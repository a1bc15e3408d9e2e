// Keeps the write-ahead log small from a thread of its own, so that no commit waits for it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

class WalKeeper {
 public:
  // `db` is a connection for this thread alone.
  explicit WalKeeper(std::unique_ptr<Database> db);
  ~WalKeeper();
  WalKeeper(const WalKeeper&) = delete;
  WalKeeper& operator=(const WalKeeper&) = delete;

  // Called by the writer after each transaction with the log's size. Starts a checkpoint each time
  // the log has grown by a step since the last one.
  void grew_to(std::int64_t bytes);

 private:
  void run();

  std::unique_ptr<Database> db_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = false;
  bool stopping_ = false;
  std::int64_t next_at_;  // the writer's own
  std::thread thread_;
};

}  // namespace dg::store::sqlite
