// The outbox in PostgreSQL. Everything that it holds is in deploy/sql/003_outbox.sql.
#pragma once

#include <memory>

#include "base/env.hpp"
#include "store/outbox.hpp"
#include "store/postgres/connection.hpp"

namespace dg::store {

// On one connection of its own, which is opened when it is first used and again when it was lost. Used by one
// coroutine at a time. The ports in `env` outlive it.
std::unique_ptr<Outbox> make_postgres_outbox(Env env, postgres::ConnectOptions connect,
                                             OutboxLimits limits = {});

}  // namespace dg::store
