#include "api/errors.hpp"

#include <array>

#include "base/json.hpp"

namespace dg::api {
namespace {

struct Row {
  Errc errc;
  int status;
  std::string_view code;
  std::string_view title;
};

constexpr std::array rows{
    Row{Errc::bad_request, 400, "bad_request", "Bad Request"},
    Row{Errc::invalid_argument, 422, "invalid_argument", "Unprocessable Content"},
    Row{Errc::unauthorized, 401, "unauthorized", "Unauthorized"},
    Row{Errc::forbidden, 403, "forbidden", "Forbidden"},
    Row{Errc::not_found, 404, "not_found", "Not Found"},
    Row{Errc::method_not_allowed, 405, "method_not_allowed", "Method Not Allowed"},
    Row{Errc::conflict, 409, "conflict", "Conflict"},
    Row{Errc::busy, 409, "busy", "Conflict"},
    Row{Errc::superseded, 409, "superseded", "Conflict"},
    Row{Errc::too_large, 413, "too_large", "Content Too Large"},
    Row{Errc::limited, 429, "limited", "Too Many Requests"},
    Row{Errc::unavailable, 503, "unavailable", "Service Unavailable"},
    Row{Errc::timeout, 504, "timeout", "Gateway Timeout"},
    Row{Errc::cancelled, 503, "cancelled", "Service Unavailable"},
    Row{Errc::internal, 500, "internal", "Internal Server Error"},
};

// What HTTP itself refuses has a status of its own.
constexpr std::array refusals{
    Row{Errc::too_large, 431, "too_large", "Request Header Fields Too Large"},
    Row{Errc::timeout, 408, "timeout", "Request Timeout"},
};

const Row& row_of(Errc code, int refused_with = 0) {
  for (const auto& row : refusals)
    if (row.errc == code && row.status == refused_with) return row;
  for (const auto& row : rows)
    if (row.errc == code) return row;
  return rows.back();
}

// `retry_after` is in the body where it is above 0.
net::Response response_of(const net::Request& request, const Error& error, std::int64_t retry_after) {
  const auto& row = row_of(error.code, request.refused_with);
  json::Writer out;
  out.begin_object().key("type").string("about:blank").key("title").string(row.title);
  out.key("status").integer(row.status).key("detail").string(error.message).key("code").string(row.code);
  out.key("request_id").string(request.request_id);
  if (!error.fields.empty()) {
    out.key("errors").begin_array();
    for (const auto& field : error.fields)
      out.begin_object().key("place").string(field.place).key("message").string(field.message).end_object();
    out.end_array();
  }
  if (retry_after > 0) out.key("retry_after").integer(retry_after);
  if (request.path.starts_with("/api/v1"))
    out.key("error").string(row.code).key("message").string(error.message);
  out.end_object();

  net::Response response;
  response.status = row.status;
  const bool problem =
      request.header("Accept").value_or("").find("application/problem+json") != std::string_view::npos;
  response.headers.emplace_back("Content-Type", problem ? "application/problem+json" : "application/json");
  response.body = out.take();
  return response;
}

}  // namespace

int status_of(Errc code) {
  return row_of(code).status;
}
std::string_view code_of(Errc code) {
  return row_of(code).code;
}

net::Response error_response(const net::Request& request, const Error& error) {
  auto response = response_of(request, error, 0);
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

net::Response limited_response(const net::Request& request, const std::string& message,
                               std::int64_t retry_after) {
  auto response = response_of(request, {Errc::limited, message, {}}, retry_after);
  response.headers.emplace_back("Retry-After", std::to_string(retry_after));
  return response;
}

}  // namespace dg::api
