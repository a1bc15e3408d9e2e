// Whether the server lives, is ready, and is healthy: what balancers, supervisors and people ask.
#pragma once

#include "app/app.hpp"
#include "net/router.hpp"

namespace dg::api {

// /livez never asks anything; /readyz says whether requests can be served now; /health says how everything
// that the server needs does. The last two look at the database once a second at most, and wait two seconds
// for it.
void add_health_routes(net::Router& router, app::App& app);

}  // namespace dg::api
