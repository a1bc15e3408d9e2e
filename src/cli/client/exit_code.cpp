#include "cli/client/exit_code.hpp"

namespace dg::cli {

ExitCode exit_code_for(Errc code) {
  switch (code) {
    case Errc::bad_request:
    case Errc::invalid_argument:
    case Errc::method_not_allowed:
    case Errc::too_large:
      return ExitCode::usage;
    case Errc::unauthorized:
    case Errc::forbidden:
      return ExitCode::unauthorized;
    case Errc::not_found:
      return ExitCode::not_found;
    case Errc::conflict:
    case Errc::busy:
    case Errc::superseded:
      return ExitCode::conflict;
    case Errc::timeout:
      return ExitCode::timeout;
    case Errc::limited:
    case Errc::unavailable:
      return ExitCode::unreachable;
    case Errc::cancelled:
      return ExitCode::interrupted;
    case Errc::internal:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

Errc errc_for_status(int status) {
  switch (status) {
    case 400:
      return Errc::bad_request;
    case 401:
      return Errc::unauthorized;
    case 403:
      return Errc::forbidden;
    case 404:
      return Errc::not_found;
    case 405:
      return Errc::method_not_allowed;
    case 409:
    case 412:
      return Errc::conflict;
    case 413:
      return Errc::too_large;
    case 422:
      return Errc::invalid_argument;
    case 429:
      return Errc::limited;
    case 408:
    case 504:
      return Errc::timeout;
    default:
      return Errc::internal;
  }
}

}  // namespace dg::cli
