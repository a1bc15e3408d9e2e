// Errors on the wire: one body for every client (RFC 9457, with the members that LangGraph's and
// DuraGraph's clients look for).
#pragma once

#include "base/result.hpp"
#include "net/http.hpp"

namespace dg::api {

int status_of(Errc code);
std::string_view code_of(Errc code);
net::Response error_response(const net::Request& request, const Error& error);

}  // namespace dg::api
