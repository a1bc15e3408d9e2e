#include "net/session.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "net/body_stream.hpp"
#include "net/request_parser.hpp"
#include "net/response_head.hpp"
#include "net/uri.hpp"

namespace dg::net {
namespace {

constexpr std::size_t head_read = 2u << 10;
constexpr std::size_t body_read = 64u << 10;

// The status of a refusal, which is that of HTTP itself and not of the API's mapping.
int refusal_status(const RequestParser& parser) {
  if (parser.head_too_large()) return 431;
  return parser.error()->code == Errc::too_large ? 413 : 400;
}

Address address_of(const Socket& socket) {
  ErrorCode error;
  const auto endpoint = socket.remote_endpoint(error);
  return error ? Address() : unmapped(endpoint.address());
}

}  // namespace

Session::Session(std::shared_ptr<ServerState> server, Transport transport)
    : server_(std::move(server)), connection_(std::move(transport), server_->env) {
  peer_ = address_of(connection_.transport.socket());
  server_->sessions.insert(this);
}

Session::~Session() {
  server_->sessions.erase(this);
}

Task<void> Session::serve(std::shared_ptr<Session> self) {
  if (co_await self->secure()) co_await self->run();
  self->finish();
}

Task<void> Session::turn_away(std::shared_ptr<Session> self) {
  if (!co_await self->secure()) {
    self->finish();
    co_return;
  }
  Request request;
  self->identify(request);
  Error error{Errc::unavailable, "the server has too many connections; try again later", {}};
  const Next next = co_await self->refuse(request, std::move(error), 503);
  if (next == Next::close) co_await self->connection_.linger();
  self->finish();
}

// Makes the connection ready for requests; false when it never will be.
Task<bool> Session::secure() {
  auto& transport = connection_.transport;
  if (!transport.has_tls()) co_return true;
  idle_ = true;
  connection_.set_deadline(server_->limits.handshake_timeout);
  std::string why;
  const auto end = co_await transport.handshake(why);
  const bool late = connection_.expired();
  connection_.clear_deadline();
  idle_ = false;
  if (end == Handshake::done && !late) co_return true;
  if (connection_.aborted() || (end == Handshake::silent && !late)) co_return false;  // as probes of ports do
  ++server_->failed_handshakes;
  log::debug("{} did not complete a TLS handshake: {}", peer_.to_string(),
             late                        ? "it took too long"
             : end == Handshake::not_tls ? "it does not speak TLS"
                                         : why);
  if (end == Handshake::not_tls) co_await refuse_clear_text();
  co_return false;
}

Task<void> Session::refuse_clear_text() {
  connection_.transport.drop_tls();
  Request request;
  identify(request);
  Error error{Errc::bad_request, "this port speaks HTTPS only: ask it with https:// (or wss://)", {}};
  if (co_await refuse(request, std::move(error), 400) == Next::close) co_await connection_.linger();
}

Task<void> Session::run() {
  Next next = Next::request;
  while (next == Next::request) {
    next = co_await take_turn();
    if (next == Next::stream) next = co_await write_stream();
  }
  if (next == Next::close) co_await connection_.linger();
}

// What belongs to the request goes with this: thousands of streams may wait, and hold little.
Task<Session::Next> Session::take_turn() {
  Request request;
  co_return co_await read_request(request) ? co_await answer(request) : Next::gone;
}

// Reads one request and refuses it where it is broken; false when there is none to answer.
Task<bool> Session::read_request(Request& request) {
  const ServerLimits& limits = server_->limits;
  auto& input = connection_.input;
  idle_ = true;
  input.shrink(head_read);
  connection_.set_deadline(limits.idle_timeout);
  if (input.empty() && !co_await connection_.receive(head_read)) co_return false;
  idle_ = false;

  RequestParser parser(limits.header_bytes, limits.body_bytes);
  bool head_timed = false;
  bool body_timed = false;
  while (true) {
    input.consume(parser.feed(input.view()));
    if (parser.error() || parser.done()) break;
    if (parser.head_done() && !body_timed) {
      body_timed = true;
      connection_.set_deadline(limits.body_timeout);
      const WriteBuffers go_on{asio::buffer("HTTP/1.1 100 Continue\r\n\r\n", 25)};
      if (parser.expects_continue() && input.empty()) {
        if (!co_await connection_.write(go_on, limits.write_timeout)) co_return false;
        connection_.set_deadline(limits.body_timeout);
      }
    } else if (!parser.head_done() && !head_timed) {
      head_timed = true;
      connection_.set_deadline(limits.header_timeout);
    }
    // What the parser leaves is the start of one line; no line is longer than all headers may be.
    const bool overlong = input.size() > limits.header_bytes + body_read;
    const bool received = !overlong && co_await connection_.receive(body_timed ? body_read : head_read);
    if (received) continue;
    if (!overlong && !connection_.expired()) co_return false;
    request = parser.take();
    identify(request);
    Error error = overlong ? Error{Errc::bad_request, "a chunk of the request's body has an endless head", {}}
                           : Error{Errc::timeout, "the request took too long to arrive", {}};
    const Next next = co_await refuse(request, std::move(error), overlong ? 400 : 408);
    if (next == Next::close) co_await connection_.linger();
    co_return false;
  }
  connection_.clear_deadline();
  if (!parser.error()) {
    keep_alive_ = parser.keep_alive();
    http10_ = parser.http10();
    request = parser.take();
    identify(request);
    co_return true;
  }
  const int status = refusal_status(parser);
  Error error = *parser.error();
  request = parser.take();
  identify(request);
  const Next next = co_await refuse(request, std::move(error), status);
  if (next == Next::close) co_await connection_.linger();
  co_return false;
}

void Session::identify(Request& request) {
  request.peer = peer_;
  const auto given = request.header("x-request-id");
  request.request_id = given && is_sane_request_id(*given) ? std::string(*given) : server_->next_request_id();
}

Task<Session::Next> Session::answer(Request& request) {
  const Router::Match match = server_->router.match(request);
  if (match.ws_handler) {
    if (wants_websocket(request)) co_return co_await upgrade(request, match);
    if (!match.handler) {
      Error error{Errc::bad_request, "a WebSocket is expected here: the request must ask for an upgrade", {}};
      co_return co_await refuse(request, std::move(error), 400);
    }
  }
  Response response = co_await server_->middleware(request, match);
  co_return co_await respond(request, response);
}

Task<Session::Next> Session::respond(const Request& request, Response& response) {
  bool keep_alive = keep_alive_ && !server_->draining;
  const bool has_body = status_has_body(response.status);
  const bool streamed = has_body && response.stream;
  if (streamed && http10_) keep_alive = false;
  Framing framing = has_body ? Framing::length : Framing::none;
  if (streamed) framing = http10_ ? Framing::until_close : Framing::chunked;
  head_.clear();
  append_head(head_, response, request.request_id, framing, response.body.size(), keep_alive);
  const bool send_body = has_body && !streamed && request.method != Method::head;
  const WriteBuffers buffers{asio::buffer(head_),
                             send_body ? asio::buffer(response.body) : asio::const_buffer()};
  if (!co_await connection_.write(buffers, server_->limits.write_timeout)) co_return Next::gone;
  if (streamed && request.method != Method::head) {
    stream_ = std::move(response.stream);
    co_return Next::stream;
  }
  co_return keep_alive ? Next::request : Next::close;
}

Task<Session::Next> Session::write_stream() {
  const auto write_body = std::exchange(stream_, nullptr);
  std::string().swap(head_);
  connection_.input.shrink(0);
  BodyStream stream(connection_, server_->env, !http10_, server_->limits.write_timeout);
  stream.watch();
  co_await write_body(stream);
  const bool whole = co_await stream.finish();
  if (stream.closed()) co_return Next::gone;
  co_return whole&& keep_alive_ && !server_->draining ? Next::request : Next::close;
}

Task<Session::Next> Session::refuse(Request& request, Error error, int status) {
  request.refused_with = status;
  keep_alive_ = false;
  connection_.clear_deadline();
  Response response = server_->on_refusal(request, std::move(error));
  response.status = status;
  response.stream = nullptr;
  co_return co_await respond(request, response);
}

Task<Session::Next> Session::upgrade(Request& request, const Router::Match& match) {
  if (*match.ws_gate) {
    if (auto refusal = co_await (*match.ws_gate)(request)) co_return co_await respond(request, *refusal);
  }
  auto problem = upgrade_problem(request);
  if (connection_.input.size() > max_early_bytes) problem = "frames must wait for the answer to the upgrade";
  if (problem) co_return co_await refuse(request, Error{Errc::bad_request, std::move(*problem), {}}, 400);

  const bool offered =
      list_has_token(request.header("sec-websocket-protocol").value_or(""), match.ws_protocol);
  const std::string early(connection_.input.view());
  connection_.input.clear();
  connection_.input.shrink(0);
  websocket_ = make_ws_connection(std::move(connection_.transport), server_->env, server_->limits);
  const std::string_view protocol = offered ? match.ws_protocol : std::string_view();
  if (co_await websocket_->accept(request, protocol, early)) {
    if (server_->draining) websocket_->close(1001, "the server is stopping");
    co_await (*match.ws_handler)(request, *websocket_);
    websocket_->close(1000, "");
    co_await websocket_->finished();
  }
  co_return Next::gone;
}

void Session::close_websocket() {
  if (websocket_) websocket_->close(1001, "the server is stopping");
}

void Session::shut_down() {
  if (websocket_)
    close_websocket();
  else
    connection_.abort();
}

void Session::cut() {
  if (websocket_) websocket_->cut();
  connection_.abort();
}

// The session leaves the list before the frame that holds it is gone, so that a drain which waits
// for the last one goes on.
void Session::finish() {
  connection_.abort();
  server_->sessions.erase(this);
  server_->session_ended.notify_all();
}

}  // namespace dg::net
