// HTTP as the rest of the program sees it: plain requests and responses, without the library that
// parses them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/async.hpp"
#include "base/result.hpp"
#include "base/trace.hpp"
#include "net/networks.hpp"

namespace dg::net {

enum class Method { get, head, post, put, patch, del, options, other };
std::string_view to_string(Method method);

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  Method method = Method::get;
  std::string other_method;                                // the method's name where it is `other`
  std::string target;                                      // as sent, with the query
  std::string path;                                        // without the query, still percent-encoded
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order; names may repeat
  Headers headers;
  std::string body;
  Address peer;                     // of the other end; 0.0.0.0 where it is not known
  std::optional<std::string> user;  // whom authentication found; nothing where nobody was asked who they are
  std::string role;                 // what they may do, as authentication names it; empty: nothing
  std::string request_id;           // the client's X-Request-Id where it is sane, else a new one
  std::optional<TraceContext> trace;  // what it belongs to: the client's, or this server's span in it
  int refused_with = 0;  // the status that HTTP itself has for what is wrong with it; 0: nothing is
  std::map<std::string, std::string, std::less<>> params;  // what the route's {names} matched, decoded

  std::string_view method_name() const;
  // The first header of that name in any case, or nothing.
  std::optional<std::string_view> header(std::string_view name) const;
  std::optional<std::string_view> query_value(std::string_view name) const;
  const std::string& param(std::string_view name) const;
};

// The writing side of a streamed body. It lives as long as the connection's turn.
class Stream {
 public:
  virtual ~Stream() = default;
  // Sends `bytes` and returns once the kernel has them: a slow reader holds its writer here. False
  // when the client has gone; every later call says so too. One write at a time.
  virtual Task<bool> write(std::string_view bytes) = 0;
  // Whether the client has closed its end. Watched all the time, also while nothing is written.
  virtual bool closed() const = 0;
  // Whether it was this server that closed, because it stops: the client did not leave.
  virtual bool cut_off() const = 0;
  // Notified when the client closes.
  virtual Signal& on_close() = 0;
  // Says that the body ends where it is not complete. The connection is closed without the mark of a body's
  // end, so that the client does not take what it has for everything.
  virtual void break_off() = 0;
};

// Writes a body. The request that it answers is gone by then.
using StreamBody = std::function<Task<void>(Stream&)>;

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
  // When set, the head is sent at once, then this writes the body in chunks.
  StreamBody stream;
};

// A message on a WebSocket.
struct WsMessage {
  bool binary = false;
  std::string data;
};

// One end of a WebSocket. Reads come one at a time; writes may come from many coroutines of the
// loop and are sent in the order of the calls.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  // The next message. Errc::unavailable when the connection ended; close_code() then tells how.
  virtual Task<Result<WsMessage>> read() = 0;
  // Queues a message and returns at once. The queue is bounded by ServerLimits::ws_queued_bytes; a
  // peer that does not read until it is full is cut off.
  virtual void send(WsMessage message) = 0;
  // Sends what is queued, then closes. Never waits longer than a second for the peer.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  virtual bool open() const = 0;
  // The code the peer closed with; 1005 when it gave none, 1006 when the connection broke.
  virtual std::uint16_t close_code() const = 0;
  virtual std::string close_reason() const = 0;
};

}  // namespace dg::net
