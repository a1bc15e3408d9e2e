// The worker protocol's server side: connections of workers and of their supervisors.
#pragma once

#include <functional>
#include <string>

#include "api/request_limit.hpp"
#include "app/app.hpp"
#include "auth/identity.hpp"
#include "net/router.hpp"

namespace dg::api::worker {

// Who a request comes from. Empty: only the token counts.
using Identify = std::function<Task<Result<auth::Identity>>(const net::Request&)>;

// Serves GET /api/v1/workers/connect on `router`. `token` is what every worker must show (empty: none
// counts), or else a JWT or API key of the role worker or admin, as `identify` finds; a request with an
// Origin is refused, since no browser is a worker. Requests are counted by `limit`, where there is one: by
// worker once the token is right, else by address. All must outlive the router's use.
void add_worker_endpoint(net::Router& router, app::App& app, const std::string& token,
                         RequestLimit* limit = nullptr, Identify identify = {});

}  // namespace dg::api::worker
