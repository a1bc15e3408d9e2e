// Errors on the wire: one body for every client (RFC 9457, with the members that LangGraph's and
// DuraGraph's clients look for).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "net/http.hpp"

namespace dg::api {

int status_of(Errc code);
std::string_view code_of(Errc code);
net::Response error_response(const net::Request& request, const Error& error);
// The answer to a client that asks too often (Errc::limited): it may ask again after `retry_after` seconds,
// which head and body say.
net::Response limited_response(const net::Request& request, const std::string& message,
                               std::int64_t retry_after);

}  // namespace dg::api
