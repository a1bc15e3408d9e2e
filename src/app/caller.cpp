#include "app/caller.hpp"

#include "base/json.hpp"

namespace dg::app {

store::Commit commit_for(const Caller& caller, WallTime at) {
  store::Commit commit{.at = at};
  if (caller.user)
    commit.event_metadata =
        json::Writer().begin_object().key("actor").string(*caller.user).end_object().take();
  return commit;
}

}  // namespace dg::app
