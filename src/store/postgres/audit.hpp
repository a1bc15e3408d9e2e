// Checking and rebuilding a database on PostgreSQL (store/audit).
#pragma once

#include <chrono>
#include <memory>

#include "base/result.hpp"
#include "store/audit/port.hpp"
#include "store/postgres/conninfo.hpp"

namespace dg::store {

// Reads the database as it is at this moment, in one transaction that holds nobody up, also while a server
// writes to it or on a standby. unauthorized, not_found, forbidden, unavailable: as
// postgres::Failure::to_command_error() has them; conflict: it has not the schema of this program. Blocks.
Result<std::unique_ptr<audit::Audit>> open_postgres_audit(const postgres::Conninfo& conninfo);

// The same to rebuild its read tables, as a role that may write them. While it lives no instance begins to
// serve the database, and whoever writes to it waits. busy: an instance serves it, or somebody else writes to
// it for longer than `patience`.
Result<audit::Rebuilding> open_postgres_rebuilding(
    const postgres::Conninfo& conninfo, std::chrono::milliseconds patience = std::chrono::seconds(10));

}  // namespace dg::store
