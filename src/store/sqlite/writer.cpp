#include "store/sqlite/writer.hpp"

#include <boost/asio/post.hpp>

#include "store/commit_size.hpp"
#include "store/sqlite/batch.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::size_t max_batch_commits = 256;
constexpr std::size_t max_batch_bytes = std::size_t{8} << 20;
// Under load without a pause the log never ends by itself: above this the writer makes it end.
constexpr std::int64_t truncate_bytes = std::int64_t{64} << 20;
constexpr std::int64_t truncate_retry_bytes = std::int64_t{16} << 20;

// Commits that wait go before packs, until so many threads wait too.
constexpr std::size_t most_unpacked = 64;

}  // namespace

Writer::Writer(std::unique_ptr<Database> db, std::unique_ptr<WalKeeper> keeper, Env env, Limits limits,
               PackLimits packs)
    : db_(std::move(db)),
      series_(*db_),
      packer_(*db_, packs),
      keeper_(std::move(keeper)),
      env_(env),
      executor_(env.timers.executor()),
      limits_(limits),
      truncate_at_(truncate_bytes),
      thread_([this] { run(); }) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

bool Writer::submit(Commit commit, Done& done) {
  const std::size_t bytes = size_of(commit);
  {
    const std::lock_guard lock(mutex_);
    const bool full =
        queue_.size() >= limits_.commits || (!queue_.empty() && queued_bytes_ + bytes > limits_.bytes);
    if (full) return false;
    queued_bytes_ += bytes;
    queue_.push_back({std::move(commit), bytes, std::move(done), boost::asio::make_work_guard(executor_)});
  }
  wake_.notify_one();
  return true;
}

void Writer::add_load(StoreLoad& load) const {
  const std::lock_guard lock(mutex_);
  load.queued_commits = queue_.size();
  load.max_queued_commits = limits_.commits;
  load.queued_bytes = queued_bytes_;
  load.max_queued_bytes = limits_.bytes;
  load.commits = commits_;
  load.batches = batches_;
}

Writer::Batch Writer::take_batch() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return !queue_.empty() || stopping_; });
  Batch batch;
  std::size_t bytes = 0;
  while (!queue_.empty() && batch.size() < max_batch_commits) {
    bytes += queue_.front().bytes;
    if (!batch.empty() && bytes > max_batch_bytes) break;
    queued_bytes_ -= queue_.front().bytes;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  commits_ += batch.size();
  batches_ += batch.empty() ? 0 : 1;
  return batch;
}

void Writer::run() {
  while (true) {
    auto batch = take_batch();
    if (batch.empty()) return;
    write(std::move(batch));
    tend_log();
    tend_packs();
  }
}

void Writer::write(Batch batch) {
  std::vector<const Commit*> commits;
  for (const auto& job : batch) commits.push_back(&job.commit);
  auto answers = commit_batch(*db_, series_, env_, commits);
  for (std::size_t i = 0; i < commits.size(); ++i)
    if (answers[i]) packer_.note(*commits[i]);
  boost::asio::post(executor_, [jobs = std::move(batch), results = std::move(answers)]() mutable {
    for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].done(std::move(results[i]));
  });
}

bool Writer::is_wanted() const {
  const std::lock_guard lock(mutex_);
  return !queue_.empty() || stopping_;
}

void Writer::tend_packs() {
  bool wanted = is_wanted();
  while (packer_.waiting() > (wanted ? most_unpacked : 0)) {
    packer_.step();
    tend_log();
    if (wanted) return;
    wanted = is_wanted();
  }
}

void Writer::tend_log() {
  const std::int64_t bytes = db_->wal_bytes();
  keeper_->grew_to(bytes);
  if (bytes < truncate_bytes) truncate_at_ = truncate_bytes;
  if (bytes < truncate_at_) return;
  if (!db_->checkpoint_truncate()) truncate_at_ = bytes + truncate_retry_bytes;
}

}  // namespace dg::store::sqlite
