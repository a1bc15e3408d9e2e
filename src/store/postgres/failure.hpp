// What went wrong on a connection, with what is needed to decide whether trying again may help.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace dg::store::postgres {

struct Failure {
  // The connection is gone or of no more use; what was under way may have happened or not.
  bool lost = false;
  // PostgreSQL's five characters (appendix A of its manual); empty where the server said nothing.
  std::string sqlstate;
  std::string message;
  // Nobody can say whether what was asked for has happened; asking again may do it a second time.
  bool unknown = false;

  // Another attempt on fresh facts may succeed: conflicts between transactions, a server that is restarting,
  // starting or full, a statement or a lock that took too long, a lost connection.
  bool is_transient() const;
  // As callers of the store see it: unavailable where nothing was done and waiting may help, timeout where
  // what happened is unknown, else internal.
  Error to_error() const;
  // As whoever runs a command sees it: unauthorized (the login is refused), not_found (there is no such
  // database), forbidden (the role may not), unavailable (the server does not answer), else internal.
  Error to_command_error() const;
};

template <class T>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> fail_with(Failure failure) {
  return std::unexpected(std::move(failure));
}

namespace sqlstate {
inline constexpr std::string_view unique_violation = "23505";
inline constexpr std::string_view check_violation = "23514";  // among others: no partition for the row
inline constexpr std::string_view lock_not_available = "55P03";
inline constexpr std::string_view deadlock_detected = "40P01";
inline constexpr std::string_view query_canceled = "57014";
inline constexpr std::string_view read_only = "25006";  // of standbys, and where it is the default
inline constexpr std::string_view insufficient_privilege = "42501";
}  // namespace sqlstate

}  // namespace dg::store::postgres
