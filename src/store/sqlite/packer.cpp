#include "store/sqlite/packer.hpp"

#include <utility>

#include "base/log.hpp"
#include "store/sqlite/pack_thread.hpp"

namespace dg::store::sqlite {
namespace {

// A thread that is forgotten is remembered when its next run ends.
constexpr std::size_t most_waiting = 10'000;
// Most have nothing to pack, which is told in microseconds.
constexpr int most_looks = 64;

// The thread on which the change may have finished something; empty for none.
struct FinishedOn {
  std::string_view operator()(const PutRun& change) const {
    return is_terminal(change.run.state) ? std::string_view(change.run.thread_id) : std::string_view();
  }
  std::string_view operator()(const PutCheckpoint& change) const {
    const auto& c = change.checkpoint;
    return c.run_id.empty() ? std::string_view(c.key.thread_id) : std::string_view();
  }
  std::string_view operator()(const CopyCheckpoints& change) const { return change.target; }
  template <class AnyOther>
  std::string_view operator()(const AnyOther&) const {
    return {};
  }
};

}  // namespace

void Packer::note(const Commit& commit) {
  for (const auto& change : commit.changes) {
    const auto thread = std::visit(FinishedOn{}, change);
    if (!thread.empty() && threads_.size() < most_waiting) threads_.emplace(thread);
  }
}

void Packer::step() {
  for (int looks = 0; looks < most_looks && !threads_.empty(); ++looks) {
    const auto thread_id = take_next();
    const bool goes_on = std::exchange(unfinished_, {}) == thread_id;
    if (goes_on || has_to_pack(db_, thread_id, limits_)) return pack(thread_id);
  }
  if (const auto status = db_.take_status(); !status)
    log::warn("finished work could not be looked for: {}", status.error().message);
}

std::string Packer::take_next() {
  auto next = unfinished_.empty() ? threads_.upper_bound(last_) : threads_.find(unfinished_);
  if (next == threads_.end()) next = threads_.begin();
  last_ = *next;
  threads_.erase(next);
  return last_;
}

void Packer::pack(const std::string& thread_id) {
  execute(db_, "BEGIN IMMEDIATE");
  const bool more = pack_thread(db_, thread_id, limits_);
  execute(db_, "COMMIT");
  if (const auto status = db_.take_status(); !status) {
    db_.rollback();
    log::warn("what is finished on the thread {} could not be packed: {}", thread_id, status.error().message);
  } else if (more) {
    threads_.insert(thread_id);
    unfinished_ = thread_id;
  }
}

}  // namespace dg::store::sqlite
