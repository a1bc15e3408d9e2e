// Our own paths under /api/v1.
#pragma once

#include "app/app.hpp"
#include "net/router.hpp"

namespace dg::api::duragraph {

void add_routes(net::Router& router, app::App& app);

}  // namespace dg::api::duragraph
