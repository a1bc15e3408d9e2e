// URIs of PostgreSQL, as libpq reads them.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dg::cli {

// Values by libpq's keywords, percent-decoded; several hosts and their ports have commas between them.
using DatabaseKeywords = std::map<std::string, std::string, std::less<>>;

// Reads a postgres:// or postgresql:// URI. invalid_argument says why it cannot be read, without any of its
// values; the message is empty where that cannot be told.
Result<DatabaseKeywords> read_database_url(const std::string& url);

// A keyword of libpq whose value is no secret.
bool is_open_database_keyword(std::string_view keyword);

// libpq's values of sslmode.
inline constexpr std::array<std::string_view, 6> database_ssl_modes{"disable", "allow",     "prefer",
                                                                    "require", "verify-ca", "verify-full"};

}  // namespace dg::cli
