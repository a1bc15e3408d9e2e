// `duragraph serve`: a server on PostgreSQL.
#pragma once

#include "cli/config/settings.hpp"

namespace dg::cli {

// Runs until it is told to stop and returns the exit code. The database may be away when it starts, and go
// away later: the server waits for it. What waiting cannot mend ends it: a wrong password, a schema of
// another release.
int run_serve(const SettingSources& sources);

}  // namespace dg::cli
