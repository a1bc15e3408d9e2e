// The worker protocol's server side: connections of workers and of their supervisors.
#pragma once

#include <string>

#include "app/app.hpp"
#include "net/router.hpp"

namespace dg::api::worker {

// Serves GET /api/v1/workers/connect on `router`. `token` is what every worker must show; a request
// with an Origin is refused, since no browser is a worker. Both must outlive the router's use.
void add_worker_endpoint(net::Router& router, app::App& app, const std::string& token);

}  // namespace dg::api::worker
