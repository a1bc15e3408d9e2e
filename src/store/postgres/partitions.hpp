// The partitions of what runs leave behind (deploy/sql/002_event_store.sql).
#pragma once

#include "store/postgres/connection.hpp"

namespace dg::store::postgres {

// Makes those that are missing for runs of the next 56 days. The role must own the tables.
Task<Outcome<void>> ensure_partitions(Connection& connection);

}  // namespace dg::store::postgres
