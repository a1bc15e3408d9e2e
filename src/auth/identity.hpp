// Who somebody is, as their token or key says.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dg::auth {

// admin: everything. editor: reads, makes and changes what is theirs. viewer: reads what is theirs. worker:
// executes runs, and nothing else.
enum class Role { admin, editor, viewer, worker };
std::string_view to_string(Role role);
std::optional<Role> role_from(std::string_view text);
// "admin, editor, viewer, worker"
std::string role_names();

struct Identity {
  std::string user;
  Role role = Role::viewer;
};

// Whether a text can be a user's id: 1 to 256 bytes of UTF-8 without control characters, and not "*", which
// stands for any label in searches of namespaces. invalid_argument otherwise.
Status check_user(std::string_view user);

}  // namespace dg::auth
