// Finding where the database is without holding up the event loop: libpq resolves names synchronously, so
// they are resolved before and given to it as addresses.
#pragma once

#include <expected>
#include <string>

#include "base/async.hpp"
#include "store/postgres/conninfo.hpp"
#include "store/postgres/failure.hpp"

struct pg_conn;

namespace dg::store::postgres {

// The same settings with a `hostaddr` for each host that is a name; a name with several addresses becomes as
// many hosts, tried in order. Folders of Unix sockets and what has a `hostaddr` already stay as they are. The
// error is a message for a person.
Task<std::expected<Conninfo, std::string>> with_addresses(Timers& timers, Conninfo conninfo);

// Why a connection did not come about, after PQsetErrorVerbosity(handle, PQERRORS_VERBOSE): libpq keeps the
// server's SQLSTATE in the text alone. `lost` where waiting may help; not where every host refused for a
// wrong name or password (class 28) or for want of the database (class 3D).
Failure connect_failure(pg_conn* handle, bool late);

}  // namespace dg::store::postgres
