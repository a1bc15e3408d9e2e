// The schema of the database and how it got there.
#pragma once

#include "base/env.hpp"
#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

// Applies the schema files that the database does not have and records them with their checksums,
// all in one transaction. Errc::conflict when the database has a newer schema or another text of
// one.
Status migrate(Database& db, const Clock& clock);

// Whether the database has exactly the schema of this program. Errc::conflict says how it does not.
Status check_schema(Database& db);

// The version of the newest schema file that was applied.
std::int64_t schema_version(Database& db);

}  // namespace dg::store::sqlite
