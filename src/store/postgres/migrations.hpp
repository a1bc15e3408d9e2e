// Bringing a database to the schema of this program.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/schema_state.hpp"

namespace dg::store::postgres {

struct Migration {
  // How the database was found. Only one that had nothing or too little was changed; of one that is not
  // served either, the message says what to do instead.
  SchemaState found;
  // The names of the files that were applied, in order.
  std::vector<std::string> applied;
};

// Told, once for each thing, what is waited for.
using OnWait = std::function<void(std::string_view)>;

// Applies the files and upgrades that the database lacks, each in one transaction that also records it. Any
// number of processes may do so at once: they take turns by an advisory lock, and the connection has no other
// afterwards. Nobody who uses the database waits for long: a table that is in use is asked for again and
// again, for a moment each time. After a failure the files before the one that failed are applied, and of
// that one's transaction nothing.
Task<Outcome<Migration>> migrate(Connection& connection, OnWait on_wait = {});

}  // namespace dg::store::postgres
