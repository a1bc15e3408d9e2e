// Removing what nothing names any more of the logs of large values.
#pragma once

#include <string>

#include "store/postgres/connection.hpp"

namespace dg::store::postgres {

// Of one namespace of a thread, whose head the open transaction has locked.
Task<Outcome<void>> collect_series(Connection& connection, std::string thread_id, std::string ns);
// Of all namespaces of a thread.
Task<Outcome<void>> collect_series_of_thread(Connection& connection, std::string thread_id);
// All of a thread's, whatever names them.
Task<Outcome<void>> erase_series(Connection& connection, std::string thread_id);

}  // namespace dg::store::postgres
