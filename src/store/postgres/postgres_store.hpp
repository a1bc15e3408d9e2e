// The store over PostgreSQL, for servers that share it.
#pragma once

#include <functional>
#include <memory>

#include "base/env.hpp"
#include "store/postgres/connection.hpp"
#include "store/store.hpp"

namespace dg::store {

struct PostgresOptions {
  postgres::ConnectOptions connect;
  std::size_t readers = 7;                                // connections for reads, beside three others
  std::size_t max_queued_commits = 4096;                  // more are refused as unavailable
  std::size_t max_queued_bytes = std::size_t{256} << 20;  // the same, by their size
  std::size_t max_queued_reads = 4096;
  std::function<void()> on_events = {};  // called on the loop after transactions that wrote events
};

// A store that connects when it is first used, and again whenever a connection is lost: a database that
// cannot be reached makes its calls unavailable after a while. The schema must be there
// (postgres/migrations.hpp). The ports in `env` outlive the store.
std::unique_ptr<Store> make_postgres_store(Env env, PostgresOptions options);

}  // namespace dg::store
