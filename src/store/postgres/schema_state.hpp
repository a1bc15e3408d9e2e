// What a database holds, as seen from the schema files of this program.
#pragma once

#include <string>
#include <vector>

#include "base/async.hpp"
#include "store/postgres/connection.hpp"

namespace dg::store::postgres {

struct SchemaState {
  enum class Kind {
    none,        // no table of ours
    older,       // some files were not applied
    current,     // all were
    newer,       // also files that this program does not know
    altered,     // a file had another text when it was applied
    original,    // a database of the DuraGraph that was written in Go
    foreign,     // tables of somebody else that have names of ours
    unsuitable,  // PostgreSQL before 14, or text that is not UTF-8
  };
  Kind kind = Kind::none;
  std::vector<std::string> missing;  // names of the files to apply, in order
  std::vector<std::string> unknown;  // names of what was applied and is none of ours
  // What there is and which command to run, for a person.
  std::string message;
};

// Looks at the schema that unqualified names are made in. Nothing is changed.
Task<Outcome<SchemaState>> schema_state(Connection& connection);

}  // namespace dg::store::postgres
