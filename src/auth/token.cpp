#include "auth/token.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "auth/base64url.hpp"

namespace dg::auth {
namespace {

using json::View;

constexpr std::size_t token_bytes_max = std::size_t{16} << 10;

std::unexpected<Error> refuse(std::string why) {
  return fail(Errc::unauthorized, std::move(why));
}

// Two readers of an object that names a member twice may see different things.
bool is_plain_object(const std::string& text) {
  if (!json::validate(text, json::client_rules) || !View(text).is_object()) return false;
  std::set<std::string> names;
  return std::ranges::all_of(View(text).members(),
                             [&](const auto& member) { return names.insert(member.key).second; });
}

double seconds_of(WallTime time) {
  return static_cast<double>(to_micros(time)) / 1e6;
}

Status check_times(View claims, const TokenRules& rules, WallTime now) {
  const auto leeway = static_cast<double>(rules.leeway.count());
  const auto end = claims["exp"].number();
  if (!end) return refuse("it has no end: `exp` is required, and a number");
  if (seconds_of(now) >= *end + leeway) return refuse("it has expired");
  const auto begin = claims.find("nbf");
  if (!begin) return {};
  if (!begin->is_number()) return refuse("its `nbf` is no number");
  if (seconds_of(now) + leeway < begin->number().value_or(0)) return refuse("it is not valid yet");
  return {};
}

Status check_issuer(View claims, const TokenRules& rules) {
  if (rules.issuer.empty() || (claims["iss"].is_string() && claims["iss"].string() == rules.issuer))
    return {};
  return refuse("its `iss` is not DURAGRAPH_JWT_ISSUER");
}

// RFC 7519 has whoever is not addressed refuse a token that is addressed to somebody.
Status check_audience(View claims, const TokenRules& rules) {
  const auto claim = claims.find("aud");
  if (!claim) return rules.audience.empty() ? Status{} : refuse("it has no `aud`");
  const auto is_meant = [&](View one) {
    return one.is_string() && std::ranges::find(rules.audience, one.string()) != rules.audience.end();
  };
  if (is_meant(*claim) || std::ranges::any_of(claim->elements(), is_meant)) return {};
  return refuse("its `aud` is not in DURAGRAPH_JWT_AUDIENCE");
}

Result<std::string> user_of(View claims, const TokenRules& rules) {
  auto claim = claims[rules.user_claim.empty() ? "user_id" : rules.user_claim];
  if (rules.user_claim.empty() && claim.is_null()) claim = claims["sub"];
  std::string user;
  if (claim.is_string()) user = claim.string();
  if (const auto number = claim.integer()) user = std::to_string(*number);
  if (!check_user(user)) return refuse("it names no user");
  return user;
}

// Of a list the role that may most.
Result<Role> role_of(View claims, const TokenRules& rules) {
  auto claim = claims.find(rules.role_claim.empty() ? "role" : rules.role_claim);
  if (!claim && rules.role_claim.empty()) claim = claims.find("roles");
  if (!claim && rules.default_role) return *rules.default_role;
  if (!claim) return refuse("it has no role");
  std::optional<Role> found;
  if (claim->is_string()) found = role_from(claim->string());
  for (const auto one : claim->elements()) {
    const auto role = one.is_string() ? role_from(one.string()) : std::nullopt;
    if (role && (!found || *role < *found)) found = role;
  }
  if (!found) return refuse("its role is none of " + role_names());
  return *found;
}

}  // namespace

Result<SignedToken> parse_token(std::string_view token) {
  if (token.size() > token_bytes_max)
    return refuse(fmt::format("it is larger than {} bytes", token_bytes_max));
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return refuse("it has not three parts");
  const auto header = from_base64url(token.substr(0, first));
  auto claims = from_base64url(token.substr(first + 1, second - first - 1));
  auto signature = from_base64url(token.substr(second + 1));
  if (!header || !claims || !signature) return refuse("a part of it is no base64url");
  if (!is_plain_object(*header)) return refuse("its header is no JSON object that names each member once");
  const View members(*header);
  if (members.find("crit")) return refuse("its header has extensions");
  const auto key_id = members.find("kid");
  if (!members["alg"].is_string() || (key_id && !key_id->is_string()))
    return refuse("its header names no algorithm, or a key that is no text");
  return SignedToken{members["alg"].string(), key_id ? key_id->string() : "",
                     std::string(token.substr(0, second)), std::move(*signature), std::move(*claims)};
}

bool is_signed_by(const SignedToken& token, std::span<const VerifyKey> keys) {
  return std::ranges::any_of(keys, [&](const VerifyKey& key) {
    if (to_string(key.algorithm()) != token.algorithm) return false;
    if (!key.id().empty() && !token.key_id.empty() && key.id() != token.key_id) return false;
    return key.verifies(token.signed_text, token.signature);
  });
}

Result<Identity> read_claims(const SignedToken& token, const TokenRules& rules, WallTime now) {
  if (!is_plain_object(token.claims))
    return refuse("its claims are no JSON object that names each member once");
  const View claims(token.claims);
  if (auto valid = check_times(claims, rules, now); !valid) return fail(valid.error());
  if (auto valid = check_issuer(claims, rules); !valid) return fail(valid.error());
  if (auto valid = check_audience(claims, rules); !valid) return fail(valid.error());
  auto user = user_of(claims, rules);
  if (!user) return fail(user.error());
  const auto role = role_of(claims, rules);
  if (!role) return fail(role.error());
  return Identity{std::move(*user), *role};
}

std::string mint_token(std::string_view secret, const Identity& identity, const TokenRules& rules,
                       WallTime now, std::chrono::seconds ttl) {
  const auto from = to_micros(now) / 1'000'000;
  json::Writer claims;
  claims.begin_object().key(rules.user_claim.empty() ? "sub" : rules.user_claim).string(identity.user);
  claims.key(rules.role_claim.empty() ? "role" : rules.role_claim).string(to_string(identity.role));
  if (!rules.issuer.empty()) claims.key("iss").string(rules.issuer);
  if (!rules.audience.empty()) claims.key("aud").string(rules.audience.front());
  claims.key("iat").integer(from).key("exp").integer(from + ttl.count()).end_object();
  const auto signed_text = to_base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + to_base64url(claims.text());
  return signed_text + "." + to_base64url(hmac_sha256(secret, signed_text));
}

}  // namespace dg::auth
