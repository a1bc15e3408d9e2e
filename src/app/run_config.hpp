// What a graph sees as its config and context: the assistant's, the thread's and the request's,
// merged, with the ids that the server alone decides.
#pragma once

#include <string>

#include "app/caller.hpp"
#include "base/json.hpp"
#include "domain/assistant.hpp"
#include "domain/run.hpp"
#include "domain/thread.hpp"

namespace dg::app {

struct RunIdentity {
  std::string run_id;
  std::string thread_id;
  std::string assistant_id;
  std::string graph_id;
  Caller caller{};  // for whom it runs
};

// What of a client's `configurable` graphs may see: nothing that the server or the libraries decide.
std::string only_allowed(json::View configurable);

// What a graph is told of the user in its `configurable`, as LangGraph's own server tells it: user_id, and
// where there is a user also langgraph_auth_user, langgraph_auth_user_id and langgraph_auth_permissions.
std::string user_configurable(const Caller& caller);

// A client's config for a graph that does not run but is looked at or written to: its `configurable` holds
// what the client may set, then `more`, then the user.
std::string config_for(const Caller& caller, json::View config, json::View more);

// `config` is the client's; `checkpoint` ({checkpoint_id, checkpoint_ns, checkpoint_map} or null) says
// where to fork. Later sources win: assistant, thread, request, identity. What clients may not set
// (__pregel_*, langgraph_auth_*) is left out, and the user is the identity's.
std::string merge_config(const domain::Assistant& assistant, const domain::Thread& thread,
                         const std::string& config, const std::string& run_metadata,
                         const std::string& checkpoint, const RunIdentity& identity,
                         std::int64_t default_recursion_limit);

// Objects are merged, anything else of the request replaces the assistant's.
std::string merge_context(const domain::Assistant& assistant, const std::string& context);

// The config of a run's further attempt: once the run has a checkpoint of its own it goes on from the
// thread's head, so where it was forked from is left out. `attempt` enters the metadata.
std::string config_for_attempt(const domain::Run& run);

}  // namespace dg::app
