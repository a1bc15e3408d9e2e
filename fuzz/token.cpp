// JWTs and lists of keys: only what is signed is believed, and what is believed is in order. An input is a
// token; a header and claims with a line break between them, which are signed; or a JWKS.
#include "auth/token.hpp"

#include "auth/base64url.hpp"
#include "auth/jwks.hpp"
#include "target.hpp"

namespace dg::fuzz {
namespace {

const WallTime now = from_micros(1'800'000'000'000'000);

const std::vector<auth::VerifyKey>& keys() {
  static const std::vector<auth::VerifyKey> made{
      auth::VerifyKey::from_secret("0123456789abcdef0123456789abcdef")};
  return made;
}

void check_shown(std::string_view input) {
  const auto token = auth::parse_token(input);
  if (!token) return;
  expect(input.starts_with(token->signed_text), "what is signed is what was sent", input);
  expect(!auth::is_signed_by(*token, keys()), "nobody guesses a signature", input);
}

void check_signed(std::string_view input) {
  const auto [header, claims] = split(input, '\n');
  const auto text = auth::to_base64url(header) + "." + auth::to_base64url(claims);
  const auto signature = auth::hmac_sha256("0123456789abcdef0123456789abcdef", text);
  const auto token = auth::parse_token(text + "." + auth::to_base64url(signature));
  if (!token) return;
  expect(token->claims == claims, "claims come back", input);
  if (!auth::is_signed_by(*token, keys())) {
    expect(token->algorithm != "HS256", "a good signature counts", input);
    return;
  }
  expect(token->algorithm == "HS256", "a key is for its own algorithm", input);
  const auto who = auth::read_claims(*token, {}, now);
  if (!who) return;
  expect(auth::check_user(who->user).has_value(), "a user has an id", input);
  expect(json::View(claims)["exp"].is_number(), "a token has an end", input);
  expect(!auth::read_claims(*token, {}, now + std::chrono::hours(24 * 365 * 2000)) ||
             json::View(claims)["exp"].number().value_or(0) > 6e10,
         "the end comes", input);
}

void check(std::string_view input) {
  check_shown(input);
  check_signed(input);
  const auto parsed = auth::parse_jwks(std::string(input));
  if (!parsed) return;
  for (const auto& key : *parsed) {
    expect(key.algorithm() != auth::Algorithm::hs256, "a list of public keys holds no secret", input);
    expect(!key.verifies("text", "signature"), "no key takes anything", input);
  }
}

const Registration token_target("token", 5'000, check);

}  // namespace
}  // namespace dg::fuzz
