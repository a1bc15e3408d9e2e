// An HTTP/1.1 client on the event loop: one connection, one request at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/env.hpp"
#include "base/result.hpp"
#include "net/http.hpp"

namespace dg::net {

struct ClientRequest {
  Method method = Method::get;
  std::string target = "/";  // path and query
  Headers headers;           // beside Host, and Content-Type and Content-Length of a body
  std::string body;          // JSON
  // Gets the body's bytes as they come; they are then not kept in the response.
  std::function<void(std::string_view)> on_bytes;
};

// A connection that stays open between requests; the next request after a failed one makes another.
// No request is sent twice, so one that meets a connection which the server has just closed fails.
// Redirects are not followed, bodies are not bounded: it is for servers one trusts.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Errors: unavailable when nobody answers or the connection breaks, timeout at the deadline. A
  // status that is no success is not an error here.
  virtual Task<Result<Response>> send(ClientRequest request, SteadyTime deadline) = 0;
};

// `url` is http://HOST:PORT; invalid_argument for another one, TLS among them.
Result<std::unique_ptr<HttpClient>> make_http_client(boost::asio::io_context& io, const Env& env,
                                                     std::string_view url);

}  // namespace dg::net
