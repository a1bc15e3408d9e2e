// Commits to a database that others share: one transaction at a time, and what became of one whose answer was
// lost is asked for, as the adapter of PostgreSQL does.
#include "simulation/store/database.hpp"

namespace dg::simulation {
namespace {

constexpr Duration asking = std::chrono::seconds(60);
constexpr Duration ask_again = std::chrono::milliseconds(20);

std::unexpected<Error> unavailable(const char* message) {
  return fail(Errc::unavailable, message);
}

}  // namespace

Session SimulatedStore::with_life(Session session) const {
  if (link_ != nullptr) session.instance_alive = link_->is_alive(session.instance);
  return session;
}

Task<void> SimulatedStore::write_shared() {
  while (!queue_.empty()) {
    flushing_ = std::exchange(queue_, {});
    auto answers = co_await try_shared(flushing_);
    answer(flushing_, std::move(answers));
    flushing_.clear();
  }
  writing_ = false;
}

Task<SimulatedStore::Answers> SimulatedStore::try_shared(std::vector<Job>& batch) {
  const auto deadline = batch.front().deadline;
  while (co_await link_->reach(deadline)) {
    const auto losses = link_->losses();
    co_await pause(disk_.flush_time());
    if (losses != link_->losses()) continue;
    Answers answers;
    const auto transaction =
        link_->commit([&] { answers = write(batch); }, [this] { answered_.notify_all(); });
    while (!transaction->told) co_await answered_.wait();
    while (losses != link_->losses() && transaction->state == Transaction::State::under_way)
      co_await sleep_for(env_.timers, ask_again);
    if (losses != link_->losses() && !co_await link_->reach(env_.timers.now() + asking))
      co_return Answers(batch.size(), unavailable("the database cannot be asked what became of a commit"));
    if (transaction->state == Transaction::State::committed) co_return answers;
  }
  co_return Answers(batch.size(), unavailable("the database cannot answer; nothing was written"));
}

}  // namespace dg::simulation
