#include "net/server.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "net/session.hpp"

namespace dg::net {
namespace {

constexpr int backlog = 4096;
// After a failed accept, mostly for want of file descriptors.
constexpr Duration accept_pause = std::chrono::milliseconds(100);
// How long a drain waits for sessions that it has closed.
constexpr Duration close_wait = std::chrono::seconds(2);
// Clients beyond the limit that are told so at one time; further ones are just closed.
constexpr std::size_t max_turned_away = 256;

Transport transport_over(Socket socket, TlsContext* tls) {
  if (tls == nullptr) return Transport(std::move(socket));
  return Transport(std::make_shared<TlsStream>(std::move(socket), tls->current()));
}

void admit(const std::shared_ptr<ServerState>& state, Socket socket) {
  const std::size_t count = state->sessions.size();
  const std::size_t most = state->limits.max_connections;
  if (count >= most + max_turned_away) return;
  auto session = std::make_shared<Session>(state, transport_over(std::move(socket), state->tls.get()));
  state->watch_deadlines();
  spawn(state->env.timers.executor(), "net.session",
        count < most ? Session::serve(std::move(session)) : Session::turn_away(std::move(session)));
}

Task<void> accept_all(std::shared_ptr<ServerState> state) {
  while (state->acceptor.is_open()) {
    auto [error, socket] = co_await state->acceptor.async_accept(use_tuple);
    if (!error) {
      admit(state, std::move(socket));
    } else if (state->acceptor.is_open()) {
      if (error == asio::error::connection_aborted) continue;
      log::warn("cannot accept a connection: {}", error.message());
      co_await sleep_for(state->env.timers, accept_pause);
    }
  }
}

class ListeningServer final : public Server {
 public:
  ListeningServer(std::shared_ptr<ServerState> state, std::uint16_t port)
      : state_(std::move(state)), port_(port) {}

  ~ListeningServer() override {
    stop_accepting(*state_);
    for (Session* session : state_->sessions) session->cut();
  }
  ListeningServer(const ListeningServer&) = delete;
  ListeningServer& operator=(const ListeningServer&) = delete;

  std::uint16_t port() const override { return port_; }
  ServerLoad load() const override {
    ServerLoad load;
    load.connections = state_->sessions.size();
    load.failed_handshakes = state_->failed_handshakes;
    load.max_connections = state_->limits.max_connections;
    for (const Session* session : state_->sessions) {
      const WsConnection* const websocket = session->websocket();
      if (!websocket) continue;
      ++load.websockets;
      load.ws_queued_bytes += websocket->queued_bytes();
    }
    return load;
  }
  void serve() override { spawn(state_->env.timers.executor(), "net.accept", accept_all(state_)); }
  void close_websockets() override {
    for (Session* session : state_->sessions) session->close_websocket();
  }
  Task<void> drain(SteadyTime deadline) override { return run_drain(state_, deadline); }

 private:
  static void stop_accepting(ServerState& state) {
    state.draining = true;
    ErrorCode ignored;
    state.acceptor.close(ignored);
  }

  static Task<void> run_drain(std::shared_ptr<ServerState> state, SteadyTime deadline) {
    stop_accepting(*state);
    for (Session* session : state->sessions) {
      if (session->idle()) session->cut();
    }
    while (!state->sessions.empty() && co_await state->session_ended.wait_until(deadline)) {
    }
    for (Session* session : state->sessions) session->shut_down();
    const SteadyTime end = state->env.timers.now() + close_wait;
    while (!state->sessions.empty() && co_await state->session_ended.wait_until(end)) {
    }
  }

  std::shared_ptr<ServerState> state_;
  std::uint16_t port_;
};

Status open_acceptor(Acceptor& acceptor, const std::string& host, std::uint16_t port) {
  ErrorCode error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) return fail(Errc::invalid_argument, "the address to listen on must be an IP literal: " + host);
  const Tcp::endpoint endpoint(address, port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(backlog, error);
  if (!error) return {};
  const Errc code = error == asio::error::address_in_use ? Errc::conflict : Errc::unavailable;
  return fail(code, "cannot listen on " + host + " port " + std::to_string(port) + ": " + error.message());
}

}  // namespace

void ServerState::watch_deadlines() {
  if (std::exchange(watching, true)) return;
  const Duration shortest =
      std::min({limits.header_timeout, limits.body_timeout, limits.idle_timeout, limits.write_timeout,
                limits.handshake_timeout, Duration(std::chrono::seconds(2))});
  const Duration pause = std::max<Duration>(shortest / 8, std::chrono::milliseconds(5));
  env.timers.call_at(env.timers.now() + pause, [weak = weak_from_this()] {
    const auto state = weak.lock();
    if (!state) return;
    const SteadyTime now = state->env.timers.now();
    for (Session* session : state->sessions) session->check_deadline(now);
    state->watching = false;
    if (!state->sessions.empty()) state->watch_deadlines();
  });
}

Result<std::unique_ptr<Server>> listen(asio::io_context& io, const Env& env, const std::string& host,
                                       std::uint16_t port, const Router& router, Middleware middleware,
                                       OnRefusal on_refusal, const ServerLimits& limits,
                                       const std::optional<TlsFiles>& tls) {
  std::unique_ptr<TlsContext> certificates;
  if (tls) {
    auto opened = TlsContext::open(*tls, env.timers);
    if (!opened) return fail(std::move(opened).error());
    certificates = std::move(*opened);
  }
  auto state = std::make_shared<ServerState>(io, env, router, std::move(middleware), std::move(on_refusal),
                                             limits, std::move(certificates));
  if (auto opened = open_acceptor(state->acceptor, host, port); !opened)
    return fail(std::move(opened).error());
  ErrorCode ignored;
  const std::uint16_t chosen = state->acceptor.local_endpoint(ignored).port();
  return std::make_unique<ListeningServer>(std::move(state), chosen);
}

}  // namespace dg::net
