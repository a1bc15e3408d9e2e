#include "store/postgres/claims.hpp"

#include "store/postgres/reads.hpp"

namespace dg::store::postgres {
namespace {

// On a connection that nothing else uses, so nothing else is unlocked.
Task<void> unlock(Pool::Lease lease) {
  const auto unlocked = co_await lease->query("SELECT pg_advisory_unlock_all()");
  // A connection that still holds them is not used again: inside a transaction it is thrown away.
  if (!unlocked && !lease->is_lost()) co_await lease->query("BEGIN");
}

class Hold {
 public:
  Hold(Executor executor, Pool::Lease lease) : executor_(std::move(executor)), lease_(std::move(lease)) {}
  ~Hold() { spawn(executor_, "claims", unlock(std::move(lease_))); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  Executor executor_;
  Pool::Lease lease_;
};

Task<Outcome<Claimable>> try_claim(Pool& pool, std::vector<std::string> graph_ids, WallTime now,
                                   std::int64_t limit, SteadyTime deadline) {
  auto lease = co_await pool.take(deadline);
  if (!lease) co_return fail_with(std::move(lease.error()));
  auto runs = co_await read_claimable_runs(**lease, std::move(graph_ids), now, limit);
  if (!runs) co_return fail_with(std::move(runs.error()));
  Claimable out{std::move(*runs), nullptr};
  if (!out.runs.empty()) out.hold = std::make_shared<Hold>(pool.timers().executor(), std::move(*lease));
  co_return out;
}

}  // namespace

Task<Result<Claimable>> claim_runs(Pool& pool, Random& random, std::vector<std::string> graph_ids,
                                   WallTime now, std::int64_t limit) {
  Attempts attempts(pool.timers(), random, {});
  while (true) {
    auto claimed = co_await try_claim(pool, graph_ids, now, limit, attempts.deadline());
    if (claimed) co_return std::move(*claimed);
    if (!co_await attempts.again(claimed.error())) co_return fail(claimed.error().to_error());
  }
}

}  // namespace dg::store::postgres
