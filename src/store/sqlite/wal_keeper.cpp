#include "store/sqlite/wal_keeper.hpp"

namespace dg::store::sqlite {
namespace {
constexpr std::int64_t step_bytes = std::int64_t{4} << 20;
}

WalKeeper::WalKeeper(std::unique_ptr<Database> db)
    : db_(std::move(db)), next_at_(step_bytes), thread_([this] { run(); }) {}

WalKeeper::~WalKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void WalKeeper::grew_to(std::int64_t bytes) {
  if (bytes < step_bytes) next_at_ = step_bytes;  // the log began anew
  if (bytes < next_at_) return;
  next_at_ = bytes + step_bytes;
  {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
  }
  wake_.notify_one();
}

void WalKeeper::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return wanted_ || stopping_; });
    if (stopping_) return;
    wanted_ = false;
    lock.unlock();
    db_->checkpoint_passive();
    lock.lock();
  }
}

}  // namespace dg::store::sqlite
