// Writes the head of a response.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http.hpp"

namespace dg::net {

// How the end of the body is told to the client.
enum class Framing { none, length, chunked, until_close };

// Appends the status line and the headers with the empty line to `out`. The handler's own framing
// headers are left out, and characters that would end a header line early become spaces.
void append_head(std::string& out, const Response& response, std::string_view request_id, Framing framing,
                 std::size_t body_size, bool keep_alive);

// Whether a response with this status has a body at all.
bool status_has_body(int status);

// A client's request id when it is short and plain enough to be repeated in logs and headers.
bool is_sane_request_id(std::string_view id);

}  // namespace dg::net
