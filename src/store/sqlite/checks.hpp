// Whether a commit may be applied.
#pragma once

#include "base/result.hpp"
#include "store/sqlite/database.hpp"
#include "store/store.hpp"

namespace dg::store::sqlite {

// Checks every condition, expected version and lease of the commit against the database as it is in
// the open transaction, and writes nothing. Gives the first refusal.
Status check(Database& db, const Commit& commit);

}  // namespace dg::store::sqlite
