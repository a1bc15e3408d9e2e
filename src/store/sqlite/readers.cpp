#include "store/sqlite/readers.hpp"

namespace dg::store::sqlite {

Status read_in_transaction(Database& db, std::move_only_function<void(Database&)>& work,
                           std::chrono::milliseconds deadline) {
  db.set_deadline(std::chrono::steady_clock::now() + deadline);
  execute(db, "BEGIN");
  if (!db.failed()) work(db);
  db.set_deadline(std::nullopt);
  auto status = db.take_status();
  if (status) {
    execute(db, "COMMIT");  // nothing was written
    status = db.take_status();
  }
  if (!status) db.rollback();
  return status;
}

Readers::Readers(std::vector<std::unique_ptr<Database>> connections, std::size_t max_queued)
    : connections_(std::move(connections)), max_queued_(max_queued) {
  for (const auto& connection : connections_)
    threads_.emplace_back([this, db = connection.get()] { run(*db); });
}

Readers::~Readers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

bool Readers::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= max_queued_) return false;
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void Readers::add_load(StoreLoad& load) const {
  const std::lock_guard lock(mutex_);
  load.queued_reads = queue_.size();
  load.max_queued_reads = max_queued_;
}

void Readers::run(Database& db) {
  while (true) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !queue_.empty() || stopping_; });
    if (queue_.empty()) return;
    auto job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job(db);
  }
}

}  // namespace dg::store::sqlite
