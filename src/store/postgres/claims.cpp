#include "store/postgres/claims.hpp"

#include "store/postgres/reads.hpp"

namespace dg::store::postgres {
namespace {

// What ends the transaction unlocks its runs. One that cannot be ended is ended with its connection, when the
// pool throws that away; of an instance that was stopped the server ends it.
Task<void> end_transaction(std::shared_ptr<Pool::Lease> lease) {
  co_await (*lease)->ask("COMMIT");
  *lease = Pool::Lease();
}

Task<Outcome<Claimable>> try_claim(Pool& pool, std::vector<std::string> graph_ids, WallTime now,
                                   std::int64_t limit, SteadyTime deadline) {
  auto taken = co_await pool.take(deadline);
  if (!taken) co_return fail_with(std::move(taken.error()));
  const auto lease = std::make_shared<Pool::Lease>(std::move(*taken));
  auto runs = co_await read_claimable_runs(**lease, std::move(graph_ids), now, limit);
  if (!runs) co_return fail_with(std::move(runs.error()));
  Claimable out{std::move(*runs), {}};
  if (out.runs.empty()) {
    spawn(pool.timers().executor(), "claims", end_transaction(lease));
  } else {
    out.release = [lease] { return end_transaction(lease); };
  }
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
