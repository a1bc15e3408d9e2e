// Rows of threads with their states, by id and by search.
#pragma once

#include <string>
#include <vector>

#include "store/postgres/connection.hpp"
#include "store/queries.hpp"

namespace dg::store::postgres {

// Those that exist, in the order of the ids.
Task<Outcome<std::vector<ThreadRow>>> read_thread_rows(Connection& db, std::vector<std::string> ids);

}  // namespace dg::store::postgres
