#include "net/http_client.hpp"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <optional>
#include <utility>

#include "net/connection.hpp"
#include "net/response_parser.hpp"
#include "net/uri.hpp"

namespace dg::net {
namespace {

constexpr std::size_t read_size = 16u << 10;

std::string request_text(const Url& url, const ClientRequest& request) {
  auto out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", to_string(request.method), request.target,
                         url.host_header());
  for (const auto& [name, value] : request.headers) out += fmt::format("{}: {}\r\n", name, value);
  if (!request.body.empty())
    out += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", request.body.size());
  out += "\r\n";
  out += request.body;
  return out;
}

class Client final : public HttpClient {
 public:
  Client(asio::io_context& io, const Env& env, Url url) : io_(io), env_(env), url_(std::move(url)) {}
  ~Client() override { drop(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Task<Result<Response>> send(ClientRequest request, SteadyTime deadline) override {
    const auto timer = env_.timers.call_at(deadline, [this] { give_up(); });
    late_ = false;
    auto response = co_await exchange(request);
    env_.timers.cancel(timer);
    if (!response) drop();
    if (late_) co_return fail(Errc::timeout, "no answer to " + request.target + " within the time allowed");
    co_return response;
  }

 private:
  Task<Status> connect() {
    Resolver resolver(io_);
    const auto [unresolved, addresses] = co_await resolver.async_resolve(url_.host, url_.port, use_tuple);
    if (unresolved)
      co_return fail(Errc::unavailable, "cannot resolve " + url_.host + ": " + unresolved.message());
    connecting_.emplace(io_);
    const auto [refused, place] = co_await asio::async_connect(*connecting_, addresses, use_tuple);
    if (refused)
      co_return fail(Errc::unavailable, "cannot connect to " + url_.host_header() + ": " + refused.message());
    connection_.emplace(Transport(std::move(*connecting_)), env_);
    connecting_.reset();
    co_return Status{};
  }

  Task<Result<Response>> exchange(const ClientRequest& request) {
    if (!connection_) {
      if (auto connected = co_await connect(); !connected) co_return fail(connected.error());
    }
    const auto text = request_text(url_, request);
    if (!co_await connection_->write({asio::buffer(text)}, std::chrono::hours(1)))
      co_return fail(Errc::unavailable, "the connection broke while the request was sent");
    ResponseParser parser(request.method != Method::head, request.on_bytes);
    while (!parser.done()) {
      const bool got = co_await connection_->receive(read_size);
      if (!got && !parser.finish())
        co_return fail(Errc::unavailable, "the connection broke before the whole response had come");
      if (!got) break;
      const auto used = parser.feed(connection_->input.view());
      if (!used) co_return fail(used.error());
      connection_->input.consume(*used);
    }
    if (!parser.keep_alive()) drop();
    co_return parser.take();
  }

  void give_up() {
    late_ = true;
    ErrorCode ignored;
    if (connecting_) connecting_->close(ignored);
    if (connection_) connection_->abort();
  }

  void drop() {
    if (connection_) connection_->abort();
    connection_.reset();
  }

  asio::io_context& io_;
  Env env_;
  Url url_;
  std::optional<Socket> connecting_;
  std::optional<Connection> connection_;
  bool late_ = false;
};

}  // namespace

Result<std::unique_ptr<HttpClient>> make_http_client(asio::io_context& io, const Env& env,
                                                     std::string_view url) {
  auto parsed = parse_ws_url(url);
  if (!parsed) return fail(std::move(parsed).error());
  if (parsed->tls) return fail(Errc::invalid_argument, "this client speaks no TLS; use http://");
  return std::make_unique<Client>(io, env, std::move(*parsed));
}

}  // namespace dg::net
