// Errors as values: what failed, in words for a person, and where.
#pragma once

#include <expected>
#include <string>
#include <utility>
#include <vector>

namespace dg {

// What went wrong, in terms that a caller can act on. Each surface maps it to its own words
// (an HTTP status, an exit code) in one place.
enum class Errc {
  bad_request,       // the text cannot be read at all: not JSON, not UTF-8, nested too deeply
  invalid_argument,  // readable, but a field has a value it may not have
  unauthorized,      // no credentials, or wrong ones
  forbidden,         // known, but not allowed
  not_found,         // the named thing does not exist
  method_not_allowed,
  conflict,     // it exists already, or somebody changed it first
  busy,         // a run or an operation owns the thread
  superseded,   // the caller was the owner once and is not any more
  too_large,    // over a size limit
  limited,      // asked too often; asking later works
  unavailable,  // nobody can answer this now; asking later may work
  timeout,      // the deadline passed first
  cancelled,    // the operation was given up
  internal,     // a fault of this program or of the machine under it
};

// One field of the input that was refused: `place` is a path as in "config.recursion_limit".
struct FieldError {
  std::string place;
  std::string message;
};

struct Error {
  Errc code = Errc::internal;
  std::string message;               // what is wrong and, where it helps, what to do
  std::vector<FieldError> fields{};  // every refused field, for invalid_argument
};

template <class T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

// fail(Errc::not_found, "…") makes the unexpected side of any Result.
inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected(Error{code, std::move(message), {}});
}

inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace dg
