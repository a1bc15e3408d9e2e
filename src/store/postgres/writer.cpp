#include "store/postgres/writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/back_off.hpp"
#include "base/log.hpp"
#include "store/commit_size.hpp"
#include "store/postgres/batch.hpp"
#include "store/postgres/partitions.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view select_status = "SELECT pg_xact_status($1::text::xid8)";
// Ends a session that was given up in that transaction: it waits for a lock, or for what never came. One
// whose commit is on its way to disks is left alone.
constexpr std::string_view end_stuck =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid = $1::text::xid8::xid AND "
    "(wait_event_type = 'Lock' OR state LIKE 'idle in transaction%')";
// Changes with each start of the server, and with each crash of it, after which it starts those processes
// anew that belong to no database.
constexpr std::string_view select_incarnation =
    "SELECT pg_postmaster_start_time() || ' ' || (SELECT coalesce(min(pid), 0) FROM pg_stat_activity "
    "WHERE datid IS NULL)";

bool is_alone(const Commit& commit) {
  return std::ranges::any_of(commit.changes, [](const Change& change) { return postgres::is_alone(change); });
}

bool appends(const Commit* commit) {
  return !commit->appends.empty();
}

// The tables that commits write have no other checks.
bool lacks_partition(const Failure& failure) {
  return failure.sqlstate == sqlstate::check_violation;
}

// Another instance created the same aggregate, perhaps at once: on fresh facts it is there. Who presumed that
// there are no rows may have met any.
bool meets_creation(const Failure& failure, bool presuming) {
  return failure.sqlstate == sqlstate::unique_violation &&
         (presuming || failure.message.find("event_streams_pkey") != std::string::npos);
}

std::unexpected<Error> too_late() {
  return fail(Errc::unavailable, "the database cannot keep up; nothing was written");
}

}  // namespace

bool Writer::submit(Commit commit, Done& done) {
  const auto bytes = size_of(commit);
  // One that is larger than the bound is taken alone.
  if (queue_.size() >= limits_.commits || (!queue_.empty() && queued_bytes_ + bytes > limits_.bytes))
    return false;
  queued_bytes_ += bytes;
  queue_.push_back({std::move(commit), bytes, env_.timers.now() + limits_.deadline, std::move(done)});
  if (!std::exchange(running_, true))
    spawn(env_.timers.executor(), "postgres writer", run(shared_from_this()));
  watch_queue();
  return true;
}

void Writer::add_load(StoreLoad& load) const {
  load.queued_commits = queue_.size();
  load.max_queued_commits = limits_.commits;
  load.queued_bytes = queued_bytes_;
  load.max_queued_bytes = limits_.bytes;
  load.commits = commits_;
  load.batches = batches_;
}

Task<void> Writer::run(std::shared_ptr<Writer> self) {
  while (self->refuse_late(), !self->queue_.empty()) {
    auto batch = self->take_batch();
    std::vector<const Commit*> commits;
    for (const auto& job : batch) commits.push_back(&job.commit);
    // The oldest is the first.
    auto answers = co_await self->write(commits, batch.front().deadline);
    if (self->on_events_ && std::ranges::any_of(commits, appends)) self->on_events_();
    for (std::size_t i = 0; i < batch.size(); ++i) self->answer(batch[i], std::move(answers[i]));
  }
  self->running_ = false;
}

void Writer::answer(Job& job, Result<Committed> result) {
  ++commits_;
  boost::asio::post(
      env_.timers.executor(),
      [done = std::move(job.done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void Writer::refuse_late() {
  while (!queue_.empty() && queue_.front().deadline <= env_.timers.now()) {
    queued_bytes_ -= queue_.front().bytes;
    answer(queue_.front(), too_late());
    queue_.pop_front();
  }
  watch_queue();
}

// Whoever waits later has time for longer, so the call for the first one that waited is never too late.
void Writer::watch_queue() {
  if (queue_.empty()) {
    env_.timers.cancel(std::exchange(watch_, 0));
  } else if (watch_ == 0) {
    watch_ = env_.timers.call_at(queue_.front().deadline, [this] {
      watch_ = 0;
      refuse_late();
    });
  }
}

// A commit that reads what it has written itself has a transaction of its own.
std::vector<Writer::Job> Writer::take_batch() {
  std::vector<Job> batch;
  std::size_t bytes = 0;
  while (!queue_.empty() && batch.size() < limits_.batch && bytes < limits_.batch_bytes) {
    const bool alone = is_alone(queue_.front().commit);
    if (alone && !batch.empty()) break;
    bytes += queue_.front().bytes;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
    if (alone) break;
  }
  queued_bytes_ -= bytes;
  watch_queue();
  return batch;
}

Task<Writer::Answers> Writer::write(Commits commits, SteadyTime deadline) {
  Failure failure;
  bool made_partitions = false, presuming = env_.timers.now() >= presume_from_;
  for (int attempts = 1;; ++attempts) {
    auto result = co_await attempt(commits, std::max(deadline, env_.timers.now() + limits_.least), presuming);
    if (result.answers) co_return std::move(*result.answers);
    failure = std::move(result.failure);
    if (!result.again || env_.timers.now() >= deadline) break;
    if (lacks_partition(failure) && std::exchange(made_partitions, true)) break;
    // What was presumed wrongly may be all that was in the way. It may well be so again soon.
    if (std::exchange(presuming, false))
      presume_from_ = env_.timers.now() + limits_.doubt;
    else
      co_await back_off(attempts, deadline);
  }
  const bool is_late = env_.timers.now() >= deadline;
  // What may have happened is not done once more.
  if (!failure.is_transient() && !failure.unknown && !is_late && commits.size() > 1) {
    log::warn("a batch of {} commits failed and is tried one by one: {}", commits.size(), failure.message);
    co_return co_await write_singly(commits, deadline);
  }
  log::error("a commit failed: {}", failure.message);
  co_return Answers(commits.size(), fail(failure.to_error()));
}

Task<Writer::Answers> Writer::write_singly(Commits commits, SteadyTime deadline) {
  Answers answers;
  for (std::size_t i = 0; i < commits.size(); ++i) {
    if (env_.timers.now() >= deadline) {
      answers.emplace_back(too_late());
      continue;
    }
    auto one = co_await write(commits.subspan(i, 1), deadline);
    answers.push_back(std::move(one.front()));
  }
  co_return answers;
}

Task<Writer::Attempt> Writer::attempt(Commits commits, SteadyTime deadline, bool presuming) {
  if (auto connected = co_await connect(); !connected) {
    const bool again = connected.error().is_transient();
    co_return Attempt{std::nullopt, std::move(connected.error()), again};
  }
  ++batches_;
  Batch batch(*connection_, cache_, env_, presuming);
  connection_->give_up_at(deadline);
  auto written = co_await batch.run(commits);
  connection_->give_up_at(std::nullopt);
  if (written) {
    cache_.shed();
    co_return Attempt{std::move(*written), {}};
  }
  cache_.clear();
  co_return co_await after_failure(batch, batch.take_answers(), std::move(written.error()));
}

Task<Writer::Attempt> Writer::after_failure(const Batch& batch, Answers answers, Failure failure) {
  if (!connection_->is_lost()) {
    if (auto rolled_back = co_await connection_->ask("ROLLBACK"); !rolled_back) connection_.reset();
    if (lacks_partition(failure) && connection_) {
      const auto made = co_await fill_partitions(*connection_);
      co_return Attempt{std::nullopt, std::move(failure), made.has_value()};
    }
    const bool again = failure.is_transient() || meets_creation(failure, batch.is_presuming());
    co_return Attempt{std::nullopt, std::move(failure), again};
  }
  connection_.reset();
  if (!batch.may_have_committed()) co_return Attempt{std::nullopt, std::move(failure), true};
  auto committed = co_await ask_whether_committed(batch.transaction_id(), env_.timers.now() + limits_.asking);
  if (!committed) co_return Attempt{std::nullopt, std::move(committed.error()), false};
  if (*committed) co_return Attempt{std::move(answers), {}};
  co_return Attempt{std::nullopt, std::move(failure), true};
}

Task<Outcome<void>> Writer::connect() {
  if (connection_ && connection_->is_lost()) connection_.reset();
  if (connection_) co_return Outcome<void>{};
  auto opened = co_await Connection::open(env_.timers, options_);
  if (!opened) co_return fail_with(std::move(opened.error()));
  auto incarnation = co_await (*opened)->ask(select_incarnation);
  if (!incarnation) co_return fail_with(std::move(incarnation.error()));
  if (incarnation->next()) incarnation_ = incarnation->text();
  connection_ = std::move(*opened);
  co_return Outcome<void>{};
}

Task<Outcome<bool>> Writer::ask_whether_committed(std::string transaction_id, SteadyTime deadline) {
  const auto server = incarnation_;
  const auto unknown = [](std::string_view why) {
    return fail_with(
        {false, "",
         fmt::format("the connection was lost while a change was being committed, and {}; look whether "
                     "it is there before trying again",
                     why),
         true});
  };
  for (int attempts = 1; env_.timers.now() < deadline; ++attempts) {
    if (auto connected = co_await connect()) {
      auto status = co_await connection_->ask(select_status, transaction_id);
      if (!status && !status.error().is_transient())
        co_return unknown("the database that answers now is another one: " + status.error().message);
      if (status && status->next()) {
        const auto text = status->optional_text();
        if (!text) co_return unknown("the database does not remember it");
        // A server that crashed may give the id of what it lost to somebody else.
        if (*text == "committed" && incarnation_ != server)
          co_return unknown("the database was started again meanwhile");
        if (*text != "in progress") co_return *text == "committed";
        static_cast<void>(co_await connection_->ask(end_stuck, transaction_id));
      }
    }
    co_await back_off(attempts, deadline);
  }
  co_return unknown("the database cannot be asked what became of it");
}

Task<void> Writer::back_off(int attempts, SteadyTime deadline) {
  constexpr BackOff limits{.first = std::chrono::milliseconds(20), .longest = std::chrono::seconds(1)};
  const auto time = pause_after(attempts, limits, env_.random.next());
  co_await sleep_for(env_.timers,
                     std::min(time, std::max<Duration>(deadline - env_.timers.now(), Duration(0))));
}

}  // namespace dg::store::postgres
