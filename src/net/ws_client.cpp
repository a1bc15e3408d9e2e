#include <boost/asio/connect.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "net/tls_context.hpp"
#include "net/uri.hpp"
#include "net/ws_connection.hpp"

namespace dg::net {
namespace {

// What a connection attempt has open, for the timer that may have to end it.
struct Attempt {
  explicit Attempt(asio::io_context& io) : resolver(io), socket(io) {}

  void give_up() {
    late = true;
    resolver.cancel();
    ErrorCode ignored;
    socket.close(ignored);
    if (tls) tls->socket.close(ignored);
    if (websocket) websocket->cut();
  }

  Resolver resolver;
  Socket socket;
  std::shared_ptr<TlsStream> tls;
  std::shared_ptr<WsConnection> websocket;
  bool late = false;
};

// The caller's end of a connection: what still runs when it goes is cut off.
class ClientSocket final : public WebSocket {
 public:
  explicit ClientSocket(std::shared_ptr<WsConnection> connection) : connection_(std::move(connection)) {}
  ~ClientSocket() override { connection_->cut(); }
  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;

  Task<Result<WsMessage>> read() override { return connection_->read(); }
  void send(WsMessage message) override { connection_->send(std::move(message)); }
  void close(std::uint16_t code, std::string_view reason) override { connection_->close(code, reason); }
  bool open() const override { return connection_->open(); }
  std::uint16_t close_code() const override { return connection_->close_code(); }
  std::string close_reason() const override { return connection_->close_reason(); }

 private:
  std::shared_ptr<WsConnection> connection_;
};

// Goes on over TLS with the server that was connected to.
Task<Status> secure(Attempt& attempt, const Url& url) {
  attempt.tls = std::make_shared<TlsStream>(std::move(attempt.socket), client_context(), url.host);
  std::string why;
  if (co_await attempt.tls->handshake(why) == Handshake::done) co_return Status{};
  co_return fail(Errc::unavailable, "no TLS with " + url.host_header() + ": " + why);
}

Task<Status> run_attempt(std::shared_ptr<Attempt> attempt, Env env, Url url, Headers headers,
                         ServerLimits limits) {
  const auto [unresolved, addresses] =
      co_await attempt->resolver.async_resolve(url.host, url.port, use_tuple);
  if (unresolved)
    co_return fail(Errc::unavailable, "cannot resolve " + url.host + ": " + unresolved.message());
  if (attempt->late) co_return fail(Errc::timeout, "too late");
  const auto [refused, place] = co_await asio::async_connect(attempt->socket, addresses, use_tuple);
  if (refused)
    co_return fail(Errc::unavailable, "cannot connect to " + url.host_header() + ": " + refused.message());
  if (attempt->late) co_return fail(Errc::timeout, "too late");
  if (url.tls) {
    if (auto secured = co_await secure(*attempt, url); !secured) co_return secured;
    if (attempt->late) co_return fail(Errc::timeout, "too late");
  }
  attempt->websocket = make_ws_connection(
      attempt->tls ? Transport(std::move(attempt->tls)) : Transport(std::move(attempt->socket)), env, limits);
  co_return co_await attempt->websocket->handshake(url.host_header(), url.target, std::move(headers));
}

Task<Result<std::unique_ptr<WebSocket>>> connect(asio::io_context& io, Env env, std::string url_text,
                                                 Headers headers, Duration timeout, ServerLimits limits) {
  auto url = parse_ws_url(url_text);
  if (!url) co_return fail(std::move(url).error());
  const auto attempt = std::make_shared<Attempt>(io);
  const auto timer = env.timers.call_at(env.timers.now() + timeout, [weak = std::weak_ptr(attempt)] {
    if (const auto running = weak.lock()) running->give_up();
  });
  const Status status = co_await run_attempt(attempt, env, std::move(*url), std::move(headers), limits);
  env.timers.cancel(timer);
  if (attempt->late)
    co_return fail(Errc::timeout, "no WebSocket to " + url_text + " within the time allowed");
  if (!status) co_return fail(status.error());
  co_return std::make_unique<ClientSocket>(attempt->websocket);
}

}  // namespace

// Not a coroutine itself: the task may be awaited after the caller's arguments are gone.
Task<Result<std::unique_ptr<WebSocket>>> ws_connect(asio::io_context& io, const Env& env, std::string url,
                                                    Headers headers, Duration timeout,
                                                    const ServerLimits& limits) {
  return connect(io, env, std::move(url), std::move(headers), timeout, limits);
}

}  // namespace dg::net
