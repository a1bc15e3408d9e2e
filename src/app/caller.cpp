#include "app/caller.hpp"

#include "base/json.hpp"

namespace dg::app {

store::Commit commit_for(const Caller& caller, WallTime at) {
  store::Commit commit{.at = at};
  if (!caller.user && caller.request_id.empty()) return commit;
  json::Writer metadata;
  metadata.begin_object();
  if (caller.user) metadata.key("actor").string(*caller.user);
  if (!caller.request_id.empty()) metadata.key("request_id").string(caller.request_id);
  commit.event_metadata = metadata.end_object().take();
  return commit;
}

}  // namespace dg::app
