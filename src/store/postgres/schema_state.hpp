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
    current,     // this program's schema
    next,        // that of the release after it
    newer,       // of later ones
    in_use,      // by instances that could not serve this program's
    altered,     // a file had another text when it was applied
    original,    // a database of the DuraGraph that was written in Go
    foreign,     // tables of somebody else that have names of ours
    unsuitable,  // PostgreSQL before 14, or text that is not UTF-8
  };
  Kind kind = Kind::none;
  std::int64_t number = 0;           // of the schema, see schema_number(); 0: none of ours
  std::vector<std::string> missing;  // names of the files to apply, in order
  // What there is and which command to run, for a person.
  std::string message;

  // This program may serve it, and its instances beside those of the next release.
  bool is_served() const { return kind == Kind::current || kind == Kind::next; }
};

// Looks at the schema that unqualified names are made in. Nothing is changed.
Task<Outcome<SchemaState>> schema_state(Connection& connection);

}  // namespace dg::store::postgres
