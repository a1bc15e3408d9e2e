// Where a database is and who asks, as libpq's keywords and values.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dg::store::postgres {

// Keywords and values as libpq names them (host, port, user, password, dbname, sslmode, ...).
using Conninfo = std::vector<std::pair<std::string, std::string>>;

// The settings of a URL, postgresql://user:password@host:port/name?sslmode=require, or of libpq's own
// notation, "host=... dbname=...". The error is a message for a person and does not show the text, which may
// hold a password.
std::expected<Conninfo, std::string> parse_conninfo(const std::string& text);

// The value of a keyword; empty where it is not set.
std::string_view value_of(const Conninfo& conninfo, std::string_view keyword);
// Sets a keyword, in place of what it was.
void set_value(Conninfo& conninfo, std::string_view keyword, std::string value);

}  // namespace dg::store::postgres
