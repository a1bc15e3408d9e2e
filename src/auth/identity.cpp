#include "auth/identity.hpp"

#include <algorithm>
#include <array>

#include "base/json.hpp"

namespace dg::auth {
namespace {

constexpr std::size_t user_bytes_max = 256;

struct Named {
  Role role;
  std::string_view name;
};
constexpr std::array roles{Named{Role::admin, "admin"}, Named{Role::editor, "editor"},
                           Named{Role::viewer, "viewer"}, Named{Role::worker, "worker"}};

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

}  // namespace

std::string_view to_string(Role role) {
  return std::ranges::find(roles, role, &Named::role)->name;
}

std::optional<Role> role_from(std::string_view text) {
  const auto* const found = std::ranges::find(roles, text, &Named::name);
  return found == roles.end() ? std::nullopt : std::optional(found->role);
}

std::string role_names() {
  std::string out;
  for (const auto& [role, name] : roles) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

Status check_user(std::string_view user) {
  const bool fits = !user.empty() && user.size() <= user_bytes_max && user != "*";
  if (fits && std::ranges::none_of(user, is_control) && json::validate(json::quote(user), json::client_rules))
    return {};
  return fail(Errc::invalid_argument,
              "a user's id is 1 to 256 bytes of UTF-8 without control characters, and not \"*\"");
}

}  // namespace dg::auth
