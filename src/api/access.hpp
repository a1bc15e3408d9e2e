// Which hosts and origins a server answers.
#pragma once

#include <string_view>

#include "api/api.hpp"

namespace dg::api {

// Whether a Host header names this machine's loopback interface, with or without a port. A server on
// loopback that answers other names can be driven by any web page through DNS rebinding.
bool is_loopback_host(std::string_view host);

// Whether pages of `origin` may use the API.
bool is_allowed_origin(const Access& access, std::string_view origin);

}  // namespace dg::api
