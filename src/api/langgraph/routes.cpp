#include "api/langgraph/routes.hpp"

namespace dg::api::langgraph {

void add_routes(net::Router& router, app::App& app, const std::string& prefix) {
  add_system_routes(router, app, prefix);
  add_assistant_routes(router, app, prefix);
  add_thread_routes(router, app, prefix);
  add_state_routes(router, app, prefix);
  add_run_routes(router, app, prefix);
  add_run_creation_routes(router, app, prefix);
  add_item_routes(router, app, prefix);
}

}  // namespace dg::api::langgraph
