#include "api/permissions.hpp"

#include <fmt/format.h>

#include "auth/identity.hpp"

namespace dg::api {
namespace {

using auth::Role;

std::string_view roles_for(Needs needs) {
  switch (needs) {
    case Needs::read:
      return "admin, editor or viewer";
    case Needs::write:
      return "admin or editor";
    default:
      return "admin";
  }
}

}  // namespace

bool may(std::string_view role, Needs needs) {
  if (needs == Needs::nothing) return true;
  switch (auth::role_from(role).value_or(Role::worker)) {
    case Role::admin:
      return true;
    case Role::editor:
      return needs != Needs::admin;
    case Role::viewer:
      return needs == Needs::read;
    case Role::worker:
      return false;
  }
  return false;
}

Status check_role(const net::Request& request, Needs needs) {
  if (may(request.role, needs)) return {};
  return fail(Errc::forbidden, fmt::format("the role \"{}\" may not do this; it takes the role {}",
                                           request.role, roles_for(needs)));
}

app::Caller caller_of(const net::Request& request) {
  return {request.user, request.role, auth::role_from(request.role) == Role::admin, request.request_id};
}

}  // namespace dg::api
