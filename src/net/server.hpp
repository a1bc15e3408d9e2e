// The HTTP/1.1 and WebSocket server.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async.hpp"
#include "base/env.hpp"
#include "base/result.hpp"
#include "net/http.hpp"
#include "net/router.hpp"

namespace dg::net {

struct ServerLimits {
  std::size_t body_bytes = 32u << 20;
  std::size_t header_bytes = 64u << 10;
  std::size_t ws_message_bytes = 64u << 20;
  std::size_t ws_queued_bytes = 256u << 20;
  Duration handshake_timeout = std::chrono::seconds(10);  // of TLS, from the accepted connection on
  Duration header_timeout =
      std::chrono::seconds(30);  // from the first byte of a request to the end of its head
  Duration body_timeout = std::chrono::minutes(5);
  Duration idle_timeout = std::chrono::minutes(2);   // between requests of one connection
  Duration write_timeout = std::chrono::minutes(5);  // for a client that does not read
  std::size_t max_connections = 16384;
};

// What a server shows to be spoken to with TLS, as paths of files in PEM.
struct TlsFiles {
  std::string certificate;  // the server's own, then those that lead from it to a root
  std::string key;          // of the first of them, without a passphrase
};

// What wraps every request: called with the matched handler, answers in its place. Used for CORS,
// host checks and the error body. Runs also for paths that no route has.
using Middleware = std::function<Task<Response>(Request&, const Router::Match&)>;

// How full a server is.
struct ServerLoad {
  std::uint64_t failed_handshakes = 0;  // of TLS, since the start
  std::size_t connections = 0;          // WebSockets among them
  std::size_t max_connections = 0;
  std::size_t websockets = 0;
  std::size_t ws_queued_bytes = 0;  // of all of them together; the limit holds for each
};

// One server on one event loop. Destroying it closes every connection at once.
class Server {
 public:
  virtual ~Server() = default;
  // The port it listens on, which the system chose when 0 was asked for.
  virtual std::uint16_t port() const = 0;
  virtual ServerLoad load() const = 0;
  // Begins to take connections. Until then the system queues them, so that nobody is refused and
  // nobody is answered from what is not loaded yet. Called once.
  virtual void serve() = 0;
  // Closes every WebSocket with code 1001, for clients that have somewhere else to go. Others may be opened.
  virtual void close_websockets() = 0;
  // Accepts nothing more, closes idle connections, gives running requests until `deadline`, then
  // closes what is left: a WebSocket with code 1001, a stream by ending it.
  virtual Task<void> drain(SteadyTime deadline) = 0;
};

// Makes the response to a request that broke HTTP or a limit. The status is Request::refused_with: 400
// for bad_request, 408 for timeout, 413 or, for headers, 431 for too_large, 503 for unavailable. The
// request is given as far as it was read.
using OnRefusal = std::function<Response(const Request&, Error)>;

// Binds and listens at once, on address `host` (an IP literal or "localhost"); Server::serve() then
// takes connections on the loop. Errors: conflict when the port is taken, invalid_argument for the address,
// unavailable where the system refuses. `router` must outlive the server and every request that still runs:
// drain before destroying. An upgrade to a WebSocket asks its route's gate and not `middleware`.
// With `tls` everything is spoken over TLS, and who speaks HTTP is answered 400; invalid_argument when its
// files cannot be used. Both are read again when they change.
Result<std::unique_ptr<Server>> listen(boost::asio::io_context& io, const Env& env, const std::string& host,
                                       std::uint16_t port, const Router& router, Middleware middleware,
                                       OnRefusal on_refusal, const ServerLimits& limits = {},
                                       const std::optional<TlsFiles>& tls = {});

// Connects a WebSocket as a client to `url` (ws:// or http://, the same; wss:// or https:// over TLS, where
// the server's certificate must be one that the system, or SSL_CERT_FILE, trusts). `headers` are sent along;
// a sub-protocol is offered there too. `timeout` holds for everything up to the open WebSocket.
// Destroying the WebSocket cuts it off. Errors: invalid_argument for a URL it cannot use;
// unavailable when nobody answers, or a certificate is not trusted; unauthorized for 401, forbidden for 403,
// not_found for 404; timeout.
Task<Result<std::unique_ptr<WebSocket>>> ws_connect(boost::asio::io_context& io, const Env& env,
                                                    std::string url, Headers headers, Duration timeout,
                                                    const ServerLimits& limits = {});

}  // namespace dg::net
