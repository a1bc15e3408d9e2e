// Lists of public keys (RFC 7517).
#pragma once

#include <string>
#include <vector>

#include "auth/verify_key.hpp"
#include "base/result.hpp"

namespace dg::auth {

inline constexpr std::size_t jwks_bytes_max = std::size_t{1} << 20;
inline constexpr std::size_t jwks_keys_max = 100;

// The keys of a JWKS that tokens may be signed with; others in it are passed over. invalid_argument where it
// is none, or has no such key.
Result<std::vector<VerifyKey>> parse_jwks(const std::string& text);

}  // namespace dg::auth
