// For whom a use case acts.
#pragma once

#include <optional>
#include <string>

#include "base/env.hpp"
#include "store/store.hpp"

namespace dg::app {

// A user sees and changes what is theirs; the server itself, and users who may do everything, what is
// anybody's. What exists and may not be seen is not found.
struct Caller {
  std::optional<std::string> user{};  // whose is what it makes; none: nobody's
  std::string role{};                 // as authentication names it, for graphs to read
  bool sees_all = true;
  std::string request_id{};  // of the request that asks; empty: none

  bool may_see(const std::optional<std::string>& owner) const { return sees_all || (user && owner == user); }
  // For the filters of searches.
  std::optional<std::string> only_owner() const {
    return sees_all ? std::nullopt : std::optional(user.value_or(""));
  }
};

// Also whoever asks a server that asks nobody who they are.
inline const Caller the_server{};

// A commit whose events tell who caused them.
store::Commit commit_for(const Caller& caller, WallTime at);

}  // namespace dg::app
