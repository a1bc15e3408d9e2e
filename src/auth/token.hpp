// JSON Web Tokens (RFC 7519), signed (RFC 7515).
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/identity.hpp"
#include "auth/verify_key.hpp"
#include "base/env.hpp"
#include "base/result.hpp"

namespace dg::auth {

// What tokens must say, and what they are taken to mean.
struct TokenRules {
  std::string issuer{};                 // empty: any
  std::vector<std::string> audience{};  // one of these is meant; empty: tokens for an audience are refused
  std::chrono::seconds leeway{30};      // by which clocks may differ
  std::optional<Role> default_role = Role::editor;  // of tokens without a role; none: such are refused
  std::string user_claim{};                         // empty: user_id, else sub
  std::string role_claim{};                         // empty: role, else roles
};

// A token that was taken apart and not checked yet.
struct SignedToken {
  std::string algorithm;
  std::string key_id;       // empty: it names none
  std::string signed_text;  // header and claims, as they were sent
  std::string signature;
  std::string claims;  // some bytes
};

// Every refusal is unauthorized and says why, for the log: whoever shows a token learns nothing of it.

// Takes a token apart. Refused: what has no such form or is larger than 16 kB, and headers that are no JSON
// object, name a member twice, or have extensions that must be understood.
Result<SignedToken> parse_token(std::string_view token);

// Whether one of the keys has signed it: one whose own algorithm is the token's, and whose id is the one that
// the token names, if both have one.
bool is_signed_by(const SignedToken& token, std::span<const VerifyKey> keys);

// Who a token whose signature is good says its bearer is. It must have an end, `exp`, that has not come.
Result<Identity> read_claims(const SignedToken& token, const TokenRules& rules, WallTime now);

// A token signed with HS256 that these rules let through from now on for `ttl`.
std::string mint_token(std::string_view secret, const Identity& identity, const TokenRules& rules,
                       WallTime now, std::chrono::seconds ttl);

}  // namespace dg::auth
