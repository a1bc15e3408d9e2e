// A WebSocket connection with what the server and the client need around the public interface.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/env.hpp"
#include "net/io.hpp"
#include "net/server.hpp"
#include "net/transport.hpp"

namespace dg::net {

class WsConnection : public WebSocket {
 public:
  // Answers the upgrade that `request` asks for. `protocol` is confirmed when it is not empty;
  // `early` are bytes that came behind the request. False when the connection failed.
  virtual Task<bool> accept(const Request& request, std::string_view protocol, std::string_view early) = 0;
  // Asks the server at the other end for an upgrade. Errors: unavailable, and unauthorized,
  // forbidden or not_found where the answer was 401, 403 or 404.
  virtual Task<Status> handshake(std::string host, std::string target, Headers headers) = 0;
  // Bytes of messages that wait to be sent.
  virtual std::size_t queued_bytes() const = 0;
  // Breaks the connection at once.
  virtual void cut() = 0;
  // Waits until the connection has ended.
  virtual Task<void> finished() = 0;
};

// The most bytes that accept() takes as `early`.
inline constexpr std::size_t max_early_bytes = 1024;

// What stands between a peer's request and an upgrade, for a person; nothing when it is valid.
std::optional<std::string> upgrade_problem(const Request& request);
// Whether the request asks for a WebSocket at all, well or badly.
bool wants_websocket(const Request& request);

std::shared_ptr<WsConnection> make_ws_connection(Transport transport, const Env& env,
                                                 const ServerLimits& limits);

}  // namespace dg::net
