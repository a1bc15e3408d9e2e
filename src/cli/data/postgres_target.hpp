// The database on PostgreSQL that a command works on.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/client/output.hpp"
#include "cli/config/settings.hpp"
#include "store/postgres/conninfo.hpp"

namespace dg::cli {

struct PostgresTarget {
  store::postgres::Conninfo conninfo;
  std::string name;  // "appdb at localhost:5432", without anything secret
};

// The one that `duragraph serve` would use with these settings. What is probably not meant is a remark on
// `out`.
Result<PostgresTarget> find_postgres(const SettingSources& sources, Output& out);

// The same error with the database's name in front and what may be done about it behind.
Error explain(Error error, std::string_view name, std::string_view if_forbidden);

}  // namespace dg::cli
