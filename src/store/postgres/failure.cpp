#include "store/postgres/failure.hpp"

#include <fmt/format.h>

namespace dg::store::postgres {

bool Failure::is_transient() const {
  if (unknown) return false;
  if (lost) return true;
  // Classes 08 (connection), 40 (rolled back by the server), 53 (out of resources), and 57, an operator's
  // intervention, which the end of a statement's time is, too: it is rolled back.
  const std::string_view state = sqlstate;
  if (state == sqlstate::lock_not_available || state == sqlstate::read_only) return true;
  for (const std::string_view group : {"08", "40", "53", "57"})
    if (state.starts_with(group)) return true;
  return false;
}

Error Failure::to_error() const {
  if (unknown) return {Errc::timeout, message, {}};
  if (is_transient())
    return {Errc::unavailable, fmt::format("the database cannot answer, try again: {}", message), {}};
  return {Errc::internal,
          sqlstate.empty() ? message
                           : fmt::format("the database refused a statement ({}): {}", sqlstate, message),
          {}};
}

Error Failure::to_command_error() const {
  const std::string_view state = sqlstate;
  if (state.starts_with("28")) return {Errc::unauthorized, message, {}};
  if (state.starts_with("3D")) return {Errc::not_found, message, {}};
  if (state == sqlstate::insufficient_privilege) return {Errc::forbidden, message, {}};
  return {is_transient() ? Errc::unavailable : Errc::internal, message, {}};
}

}  // namespace dg::store::postgres
