#include "cli/server/authentication.hpp"

#include <fmt/format.h>

#include "auth/jwks.hpp"
#include "cli/config/config_file.hpp"
#include "cli/server/jwks_source.hpp"

namespace dg::cli {
namespace {

constexpr std::size_t pem_bytes_max = std::size_t{64} << 10;
constexpr std::size_t secret_bytes_min = 32;  // as many as HS256 has in its hash

// A setting that names what cannot be used.
std::unexpected<Error> unusable(const char* setting, const std::string& path, const Error& error) {
  return fail(Errc::invalid_argument, fmt::format("{}: {}: {}", setting, path, error.message));
}

Result<auth::VerifyKey> public_key(const std::string& path) {
  const auto pem = read_settings_text(path, pem_bytes_max);
  if (!pem) return fail(pem.error());
  return auth::VerifyKey::from_pem(*pem);
}

Status check_jwks_file(const std::string& path) {
  const auto text = read_settings_text(path, auth::jwks_bytes_max);
  if (!text) return fail(text.error());
  const auto parsed = auth::parse_jwks(*text);
  return parsed ? Status{} : fail(parsed.error());
}

bool listens_on_loopback(const std::string& host) {
  return host == "localhost" || host.starts_with("127.") || host == "::1";
}

bool is_of_this_machine(std::string_view url) {
  url.remove_prefix(url.find("://") + 3);
  return url.starts_with("localhost") || url.starts_with("127.") || url.starts_with("[::1]");
}

}  // namespace

auth::TokenRules token_rules(const ServeSettings& settings) {
  auth::TokenRules rules;
  rules.issuer = settings.jwt_issuer;
  rules.audience = settings.jwt_audience;
  rules.leeway = std::chrono::seconds(settings.jwt_leeway);
  rules.default_role = auth::role_from(settings.jwt_default_role);
  rules.user_claim = settings.jwt_user_claim;
  rules.role_claim = settings.jwt_role_claim;
  return rules;
}

Result<Authentication> authentication_of(const ServeSettings& settings, Executor executor) {
  Authentication out;
  out.ask_clients = settings.auth_enabled;
  auto& tokens = out.tokens;
  tokens.rules = token_rules(settings);
  if (!settings.jwt_secret.empty()) tokens.keys.push_back(auth::VerifyKey::from_secret(settings.jwt_secret));
  if (const auto& path = settings.jwt_public_key; !path.empty()) {
    auto key = public_key(path);
    if (!key) return unusable("DURAGRAPH_JWT_PUBLIC_KEY", path, key.error());
    tokens.keys.push_back(std::move(*key));
  }
  if (const auto& source = settings.jwt_jwks; !source.empty()) {
    const bool is_url = source.contains("://");
    if (!is_url)
      if (const auto usable = check_jwks_file(source); !usable)
        return unusable("DURAGRAPH_JWT_JWKS", source, usable.error());
    tokens.jwks_source = source;
    tokens.jwks = is_url ? jwks_of_url(executor, source) : jwks_of_file(source);
  }
  if (settings.auth_enabled && tokens.keys.empty() && !tokens.jwks)
    return fail(
        Errc::invalid_argument,
        "AUTH_ENABLED: there is nothing to check tokens with. Set JWT_SECRET (32 random bytes or more), "
        "DURAGRAPH_JWT_PUBLIC_KEY or DURAGRAPH_JWT_JWKS");
  return out;
}

std::vector<std::string> authentication_warnings(const ServeSettings& settings) {
  std::vector<std::string> out;
  if (!settings.jwt_secret.empty() && settings.jwt_secret.size() < secret_bytes_min)
    out.push_back(fmt::format("JWT_SECRET has {} bytes, which can be guessed: take {} random ones or more",
                              settings.jwt_secret.size(), secret_bytes_min));
  if (const auto& source = settings.jwt_jwks; source.starts_with("http://") && !is_of_this_machine(source))
    out.push_back(
        fmt::format("DURAGRAPH_JWT_JWKS: {} is fetched in the clear, and whoever can change it on its way "
                    "lets in whom they like: "
                    "take https://",
                    source));
  if (!settings.auth_enabled && !listens_on_loopback(settings.host))
    out.push_back(
        fmt::format("the API asks nobody who they are and listens on {}: whoever reaches it may use it; "
                    "AUTH_ENABLED=true asks",
                    settings.host));
  return out;
}

std::optional<std::string> fingerprint_of_secret(const ServeSettings& settings) {
  if (settings.jwt_secret.empty()) return std::nullopt;
  constexpr std::size_t digits = 32;
  return sha256_hex(auth::hmac_sha256(settings.jwt_secret, "fingerprint of JWT_SECRET")).substr(0, digits);
}

}  // namespace dg::cli
