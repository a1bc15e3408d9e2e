// Which queued runs an instance is about to start, so that the others start different ones.
#pragma once

#include <string>
#include <vector>

#include "store/postgres/pool.hpp"
#include "store/queries.hpp"

namespace dg::store::postgres {

// Runs that may be started, locked for others until they are released, or their connection goes.
Task<Result<Claimable>> claim_runs(Pool& pool, Random& random, std::vector<std::string> graph_ids,
                                   WallTime now, std::int64_t limit);

}  // namespace dg::store::postgres
