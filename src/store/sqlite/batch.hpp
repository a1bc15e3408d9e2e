// Writing several commits in one transaction.
#pragma once

#include <span>
#include <vector>

#include "base/env.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/series.hpp"
#include "store/store.hpp"

namespace dg::store::sqlite {

// Writes the commits in order in one transaction: each sees those before it, and one that is
// refused writes nothing and does not disturb the others. Should the database fail on the way,
// nothing of the transaction remains and the commits are tried one by one. Gives one answer for each
// commit, in order, after all of them are durable.
std::vector<Result<Committed>> commit_batch(Database& db, SeriesWriter& series, const Env& env,
                                            std::span<const Commit* const> commits);

}  // namespace dg::store::sqlite
