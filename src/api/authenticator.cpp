#include "api/authenticator.hpp"

#include <algorithm>

#include "auth/api_key.hpp"
#include "base/log.hpp"
#include "net/uri.hpp"

namespace dg::api {
namespace {

constexpr Duration tell_pause = std::chrono::seconds(1);
constexpr const char* refusal =
    "a valid token or API key is needed: Authorization: Bearer TOKEN, or x-api-key: KEY";

std::unexpected<Error> refuse(std::string why) {
  return fail(Errc::unauthorized, std::move(why));
}

// The only header of that name; nothing where there are several, of which others may read another one.
std::optional<std::string_view> only_header(const net::Request& request, std::string_view name) {
  std::optional<std::string_view> found;
  for (const auto& [key, value] : request.headers) {
    if (!net::equal_ignoring_case(key, name)) continue;
    if (found) return std::nullopt;
    found = value;
  }
  return found;
}

// What the request shows. SDKs add keys from their environment, so the header that somebody writes by hand
// counts.
std::string_view shown_by(const net::Request& request) {
  constexpr std::string_view scheme = "Bearer ";
  if (request.header("Authorization")) {
    const auto header = only_header(request, "Authorization").value_or("");
    if (header.size() > scheme.size() && net::equal_ignoring_case(header.substr(0, scheme.size()), scheme))
      return header.substr(scheme.size());
    if (!request.header("x-api-key")) return "";
  }
  return only_header(request, "x-api-key").value_or("");
}

}  // namespace

Authenticator::Authenticator(app::App& app, TokenChecks checks)
    : app_(app), checks_(std::move(checks)), keys_(app.context) {
  if (checks_.jwks)
    jwks_ = std::make_unique<auth::JwksCache>(app.context.env.timers, checks_.jwks_source,
                                              std::move(checks_.jwks));
}

Task<Result<auth::Identity>> Authenticator::identify(const net::Request& request) {
  const auto shown = shown_by(request);
  Result<auth::Identity> who = refuse("it shows neither a token nor a key");
  if (const auto key = auth::parse_api_key(shown)) {
    who = co_await by_key(key->id, key->secret);
  } else if (!shown.empty()) {
    who = co_await by_token(shown);
  }
  if (who || who.error().code != Errc::unauthorized) co_return who;
  tell(request, who.error().message);
  co_return fail(Errc::unauthorized, refusal);
}

Task<Status> Authenticator::authenticate(net::Request& request) {
  auto who = co_await identify(request);
  if (!who) co_return fail(who.error());
  request.user = std::move(who->user);
  request.role = to_string(who->role);
  co_return Status{};
}

Task<Result<bool>> Authenticator::is_signed(const auth::SignedToken& token) {
  if (auth::is_signed_by(token, checks_.keys)) co_return true;
  if (!jwks_) co_return false;
  const auto keys = co_await jwks_->keys_for(token.key_id);
  if (!keys) co_return fail(keys.error());
  co_return auth::is_signed_by(token, **keys);
}

Task<Result<auth::Identity>> Authenticator::by_token(std::string_view text) {
  const auto token = auth::parse_token(text);
  if (!token) co_return fail(token.error());
  const auto is_good = co_await is_signed(*token);
  if (!is_good) co_return fail(is_good.error());
  if (!*is_good) co_return refuse("no key that is known here has signed it");
  co_return auth::read_claims(*token, checks_.rules, app_.context.env.clock.now());
}

Task<Result<auth::Identity>> Authenticator::by_key(std::string id, std::string secret) {
  if (const auto& reason = app_.health.why_not_ready(); !reason.empty())
    co_return fail(Errc::unavailable, reason);
  const auto found = co_await keys_.find(id);
  if (!found) co_return fail(found.error());
  const auto& key = *found;
  if (!key || !equal_secrets(key->secret_hash, auth::hash_of_secret(secret)))
    co_return refuse("the key " + id + " does not exist, or has another secret");
  if (key->revoked_at) co_return refuse("the key " + id + " was revoked");
  if (key->expires_at && *key->expires_at <= app_.context.env.clock.now())
    co_return refuse("the key " + id + " has expired");
  const auto role = auth::role_from(key->role);
  if (!role) co_return refuse("the key " + id + " has no role that is known");
  keys_.note_use(id);
  co_return auth::Identity{key->user, *role};
}

void Authenticator::tell(const net::Request& request, const std::string& why) {
  const auto now = app_.context.env.timers.now();
  if (now < may_tell_at_) return;
  may_tell_at_ = now + tell_pause;
  log::info("the token or key of a request from {} is refused: {}", request.peer.to_string(), why);
}

}  // namespace dg::api
