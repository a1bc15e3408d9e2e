// Keys that signatures of tokens are checked with. Each has one algorithm, its own: what a token says of its
// algorithm chooses among keys, and never how a key is used.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

// OpenSSL's EVP_PKEY.
struct evp_pkey_st;

namespace dg::auth {

enum class Algorithm { hs256, rs256, es256, eddsa };
// "HS256", "RS256", "ES256", "EdDSA"
std::string_view to_string(Algorithm algorithm);

class VerifyKey {
 public:
  // HS256.
  static VerifyKey from_secret(std::string secret);
  // A public key in PEM: RSA of 2048 bits or more (RS256), P-256 (ES256) or Ed25519 (EdDSA). invalid_argument
  // for anything else, a private key among it.
  static Result<VerifyKey> from_pem(const std::string& pem);
  // A member of a JWKS (RFC 7517), of the same kinds. invalid_argument for others, for keys that are not for
  // signatures, and for symmetric ones: a secret does not travel in a list of public keys.
  static Result<VerifyKey> from_jwk(json::View jwk);

  Algorithm algorithm() const { return algorithm_; }
  // How tokens name it; empty: they do not, and it is tried whatever they name.
  const std::string& id() const { return id_; }
  bool verifies(std::string_view signed_text, std::string_view signature) const;

 private:
  using PublicKey = std::shared_ptr<evp_pkey_st>;
  VerifyKey(Algorithm algorithm, PublicKey key) : algorithm_(algorithm), key_(std::move(key)) {}
  static Result<VerifyKey> of_public_key(PublicKey key);

  Algorithm algorithm_;
  PublicKey key_;       // of all but HS256
  std::string secret_;  // of HS256
  std::string id_;
};

// HMAC with SHA-256.
std::string hmac_sha256(std::string_view secret, std::string_view text);

}  // namespace dg::auth
