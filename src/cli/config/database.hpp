// How to connect to PostgreSQL, from DATABASE_URL and DB_*.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "cli/config/settings.hpp"

namespace dg::cli {

// libpq's keywords and values, for PQconnectStartParams(). Without DATABASE_URL they are those of DB_*. With
// it they are what it names, and of the rest those DB_* that somebody set: a password that is kept elsewhere,
// say. Host and port are one: whoever names a host means its port, too. sslmode is always among them.
// invalid_argument: DATABASE_URL is none, which load_settings() would have refused.
using DatabaseConninfo = std::vector<std::pair<std::string, std::string>>;
Result<DatabaseConninfo> database_conninfo(const ServeSettings& settings);

// A sentence for each DB_* that somebody set and DATABASE_URL says otherwise, without the values.
std::vector<std::string> database_disagreements(const ServeSettings& settings);

// Whether the default password is used with a database on another machine.
bool uses_known_password(const ServeSettings& settings);

}  // namespace dg::cli
