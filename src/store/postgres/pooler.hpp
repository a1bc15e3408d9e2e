// Whether something between us and PostgreSQL gives our sessions away.
#pragma once

#include "base/env.hpp"
#include "store/postgres/connection.hpp"

namespace dg::store::postgres {

// Whether connections go through a pooler in transaction or statement mode: what one session holds, such as a
// lock or a prepared statement, is then another's with the next transaction. Nobody else should be using the
// pooler's connections of this user and database at the same moment.
Task<Outcome<bool>> is_behind_pooler(Env env, ConnectOptions options);

}  // namespace dg::store::postgres
