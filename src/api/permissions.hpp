// Who may ask for what: which roles a route is for, and for whom its use case then acts.
#pragma once

#include <string_view>

#include "app/caller.hpp"
#include "base/result.hpp"
#include "net/http.hpp"

namespace dg::api {

// What a route is for. Each names it where it is added (route.hpp).
enum class Needs {
  nothing,  // probes: nobody is asked who they are
  read,     // what is there: admin, editor, viewer
  write,    // make and change: admin, editor
  admin,    // what belongs to no user: admin
};

// Whether requests of the role may ask for that. A request that nobody looked at has no role, and may
// nothing.
bool may(std::string_view role, Needs needs);
// The same as a status: forbidden, with the roles that may.
Status check_role(const net::Request& request, Needs needs);

// What a request is taken for where nobody is asked who they are.
inline constexpr std::string_view role_of_anybody = "admin";

// For whom the use cases of a request act: admins see everything, others what is theirs.
app::Caller caller_of(const net::Request& request);

}  // namespace dg::api
