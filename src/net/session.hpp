// One client of the server, from the accepted connection to its end.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <unordered_set>

#include "net/connection.hpp"
#include "net/server.hpp"
#include "net/tls_context.hpp"
#include "net/ws_connection.hpp"

namespace dg::net {

class Session;

// What all sessions of one server share. Sessions keep it alive; it only lists them.
struct ServerState : std::enable_shared_from_this<ServerState> {
  ServerState(asio::io_context& io, const Env& given_env, const Router& given_router, Middleware wrap,
              OnRefusal refusal, const ServerLimits& given_limits, std::unique_ptr<TlsContext> certificates)
      : acceptor(io),
        env(given_env),
        router(given_router),
        middleware(std::move(wrap)),
        on_refusal(std::move(refusal)),
        limits(given_limits),
        tls(std::move(certificates)),
        session_ended(given_env.timers),
        id_prefix(given_env.random.next()) {}

  // An id that no other request has: random bits of this server and a count. A UUID for each
  // request would cost about as much as the rest of its handling in this layer.
  std::string next_request_id() { return fmt::format("{:016x}-{:x}", id_prefix, ++requests); }
  // Compares the sessions' deadlines, and does it again until there are no sessions.
  void watch_deadlines();

  Acceptor acceptor;
  Env env;
  const Router& router;
  Middleware middleware;
  OnRefusal on_refusal;
  ServerLimits limits;
  std::unique_ptr<TlsContext> tls;  // null: in the clear
  Signal session_ended;
  std::unordered_set<Session*> sessions;
  std::uint64_t id_prefix;
  std::uint64_t requests = 0;
  std::uint64_t failed_handshakes = 0;
  bool draining = false;
  bool watching = false;
};

class Session {
 public:
  Session(std::shared_ptr<ServerState> server, Transport transport);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Serves the client until one of both sides ends the connection.
  static Task<void> serve(std::shared_ptr<Session> self);
  // Says that the server is full, and closes.
  static Task<void> turn_away(std::shared_ptr<Session> self);

  // The WebSocket that it became, or null.
  const WsConnection* websocket() const { return websocket_.get(); }
  // Whether it waits for a request and has nothing of one.
  bool idle() const { return idle_ && connection_.input.empty(); }
  void check_deadline(SteadyTime now) { connection_.check(now); }
  // Ends the connection without regard to what it does; a WebSocket is told why.
  void shut_down();
  void close_websocket();  // if it is one
  // Ends the connection and tells nobody.
  void cut();

 private:
  enum class Next { request, stream, close, gone };

  Task<bool> secure();
  Task<void> refuse_clear_text();
  Task<void> run();
  Task<Next> take_turn();
  Task<bool> read_request(Request& request);
  Task<Next> answer(Request& request);
  Task<Next> respond(const Request& request, Response& response);
  Task<Next> write_stream();
  Task<Next> refuse(Request& request, Error error, int status);
  Task<Next> upgrade(Request& request, const Router::Match& match);
  void identify(Request& request);
  void finish();

  std::shared_ptr<ServerState> server_;
  Connection connection_;
  std::shared_ptr<WsConnection> websocket_;
  Address peer_;
  std::string head_;
  StreamBody stream_;  // of an answer whose head was sent
  bool idle_ = false;
  bool keep_alive_ = false;  // what the client asked for with its last request
  bool http10_ = false;
};

}  // namespace dg::net
