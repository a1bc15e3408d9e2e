// API keys as their owners have them: dgk_ID_SECRET.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/env.hpp"

namespace dg::auth {

inline constexpr std::string_view api_key_prefix = "dgk_";

struct ApiKeyText {
  std::string id;      // 16 hexadecimal digits
  std::string secret;  // 64 hexadecimal digits: 256 random bits
};

ApiKeyText make_api_key(Random& random);
std::string to_string(const ApiKeyText& key);
// Nothing for a text of another form.
std::optional<ApiKeyText> parse_api_key(std::string_view text);

// What is stored in place of the secret. One round of SHA-256 is enough: what slow hashes protect is what
// people choose, and nobody finds 256 random bits by trying.
std::string hash_of_secret(std::string_view secret);

}  // namespace dg::auth
