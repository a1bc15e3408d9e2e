// LangGraph's API: which paths there are. Each function adds the paths of one resource under a prefix.
#pragma once

#include <string>

#include "app/app.hpp"
#include "net/router.hpp"

namespace dg::api::langgraph {

// All of them. `app` must outlive the router.
void add_routes(net::Router& router, app::App& app, const std::string& prefix);

void add_assistant_routes(net::Router& router, app::App& app, const std::string& prefix);
void add_thread_routes(net::Router& router, app::App& app, const std::string& prefix);
void add_state_routes(net::Router& router, app::App& app, const std::string& prefix);
void add_run_routes(net::Router& router, app::App& app, const std::string& prefix);
void add_run_creation_routes(net::Router& router, app::App& app, const std::string& prefix);
void add_item_routes(net::Router& router, app::App& app, const std::string& prefix);
void add_system_routes(net::Router& router, app::App& app, const std::string& prefix);

}  // namespace dg::api::langgraph
