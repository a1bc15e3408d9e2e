#include "auth/api_key.hpp"

namespace dg::auth {
namespace {

constexpr std::size_t id_bytes = 8;
constexpr std::size_t secret_bytes = 32;

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

ApiKeyText make_api_key(Random& random) {
  auto id = make_secret(random, id_bytes);
  return {std::move(id), make_secret(random, secret_bytes)};
}

std::string to_string(const ApiKeyText& key) {
  return std::string(api_key_prefix) + key.id + "_" + key.secret;
}

std::optional<ApiKeyText> parse_api_key(std::string_view text) {
  constexpr auto secret_at = api_key_prefix.size() + 2 * id_bytes + 1;
  if (text.size() != secret_at + 2 * secret_bytes || !text.starts_with(api_key_prefix)) return std::nullopt;
  const auto id = text.substr(api_key_prefix.size(), 2 * id_bytes);
  const auto secret = text.substr(secret_at);
  if (text[secret_at - 1] != '_' || !is_hex(id) || !is_hex(secret)) return std::nullopt;
  return ApiKeyText{std::string(id), std::string(secret)};
}

std::string hash_of_secret(std::string_view secret) {
  return sha256_hex(secret);
}

}  // namespace dg::auth
