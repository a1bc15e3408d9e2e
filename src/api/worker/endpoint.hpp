// The worker protocol's server side: connections of workers and of their supervisors.
#pragma once

#include <string>

#include "api/request_limit.hpp"
#include "app/app.hpp"
#include "net/router.hpp"

namespace dg::api::worker {

// Serves GET /api/v1/workers/connect on `router`. `token` is what every worker must show; a request
// with an Origin is refused, since no browser is a worker. Requests are counted by `limit`, where there is
// one: by worker once the token is right, else by address. All must outlive the router's use.
void add_worker_endpoint(net::Router& router, app::App& app, const std::string& token,
                         RequestLimit* limit = nullptr);

}  // namespace dg::api::worker
