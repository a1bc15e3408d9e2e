// Bringing a database to the schema of this program.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/postgres/schema_state.hpp"

namespace dg::store::postgres {

struct Migration {
  // How the database was found. Only one that had nothing or too little was changed; of any other kind than
  // those and `current`, the message says what to do instead.
  SchemaState found;
  // The names of the files that were applied, in order.
  std::vector<std::string> applied;
};

// Applies the schema files that the database lacks, each in one transaction that also records it. Any number
// of processes may do so at once: they take turns by an advisory lock, and `on_wait` is called when it is
// held by another. After a failure the files before the one that failed are applied, and of that one nothing.
Task<Outcome<Migration>> migrate(Connection& connection, std::function<void()> on_wait = {});

}  // namespace dg::store::postgres
