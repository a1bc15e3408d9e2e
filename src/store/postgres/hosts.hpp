// Finding where the database is without holding up the event loop: libpq resolves names synchronously, so
// they are resolved before and given to it as addresses.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/async.hpp"
#include "store/postgres/conninfo.hpp"
#include "store/postgres/failure.hpp"

struct pg_conn;

namespace dg::store::postgres {

// The settings for each address at which the database may be, in the order in which they are to be tried: a
// name with several addresses is as many of them. Folders of Unix sockets and what has a `hostaddr` already
// stay as they are. The error is a message for a person.
Task<std::expected<std::vector<Conninfo>, std::string>> places_of(Timers& timers, Conninfo conninfo);

// Why a connection did not come about, after PQsetErrorVerbosity(handle, PQERRORS_VERBOSE): libpq keeps the
// server's SQLSTATE in the text alone. `lost` where waiting may help, that is, not for wrong names and
// passwords (class 28) and for want of the database (class 3D).
Failure connect_failure(pg_conn* handle, bool late);

// Why none of several places gave a connection. `lost` where waiting may help at one of them.
Failure joined(const std::vector<Failure>& failures);

}  // namespace dg::store::postgres
