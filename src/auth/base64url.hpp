// base64url without padding (RFC 4648, section 5), as JWTs have it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dg::auth {

std::string to_base64url(std::string_view bytes);
// Strict: nothing for padding, white space, characters of other alphabets, and bits that would be lost, so
// that each text of bytes has one form.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace dg::auth
