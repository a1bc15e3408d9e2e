// Values as they may be shown.
#pragma once

#include <string>
#include <string_view>

namespace dg::cli {

inline constexpr std::string_view masked = "***";

// A URL of NATS without its password or token.
std::string mask_nats_url(std::string_view url);

// A URL that could not be read, so that nobody can tell where its password is: the scheme alone, unless
// nothing in it can be a secret.
std::string mask_unreadable_url(std::string_view url);

// A valid URI of PostgreSQL without its passwords, in the user's part or the query.
std::string mask_database_url(std::string_view url);

}  // namespace dg::cli
