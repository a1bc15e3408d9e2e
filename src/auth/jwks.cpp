#include "auth/jwks.hpp"

#include <fmt/format.h>

namespace dg::auth {

Result<std::vector<VerifyKey>> parse_jwks(const std::string& text) {
  if (text.size() > jwks_bytes_max)
    return fail(Errc::invalid_argument, fmt::format("it is larger than {} bytes", jwks_bytes_max));
  if (!json::validate(text, json::client_rules) || !json::View(text)["keys"].is_array())
    return fail(Errc::invalid_argument, R"(it is no JWKS: a JSON object with a list "keys")");
  const auto listed = json::View(text)["keys"].elements();
  if (listed.size() > jwks_keys_max)
    return fail(Errc::invalid_argument, fmt::format("it has more than {} keys", jwks_keys_max));
  std::vector<VerifyKey> keys;
  for (const auto jwk : listed)
    if (auto key = VerifyKey::from_jwk(jwk)) keys.push_back(std::move(*key));
  if (keys.empty())
    return fail(Errc::invalid_argument,
                "none of its keys is a public key for signatures with RS256, ES256 or EdDSA");
  return keys;
}

}  // namespace dg::auth
