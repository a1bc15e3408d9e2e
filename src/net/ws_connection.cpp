#include "net/ws_connection.hpp"

#include <algorithm>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <utility>

#include "net/uri.hpp"

namespace dg::net {

// What Beast does to a stream beyond reading and writing; it finds both by the type.
template <class Handler>
void async_teardown(boost::beast::role_type role, Transport& transport, Handler&& handler) {
  transport.say_goodbye();
  boost::beast::websocket::async_teardown(role, transport.socket(), std::forward<Handler>(handler));
}
void beast_close_socket(Transport& transport) {
  transport.close();
}

namespace {

namespace beast = boost::beast;
namespace websocket = beast::websocket;

constexpr Duration tick = std::chrono::seconds(5);
constexpr Duration ping_after = std::chrono::seconds(20);  // of silence
// Of silence, pings unanswered. Long: user code may hold a worker's interpreter, and with it the pongs, for
// minutes; whether a worker lives is judged by its heartbeats.
constexpr Duration dead_after = std::chrono::minutes(15);
constexpr Duration close_time = std::chrono::seconds(1);
constexpr std::size_t first_read = 4u << 10;  // most messages are small, and most sockets idle
constexpr std::size_t next_read = 64u << 10;

constexpr std::size_t max_close_reason = 123;  // RFC 6455, 5.5: a control frame has 125 bytes

Error gone() {
  return {Errc::unavailable, "the WebSocket is closed", {}};
}

Status to_status(const ErrorCode& error, unsigned status) {
  if (!error) return {};
  if (error != websocket::error::upgrade_declined)
    return fail(Errc::unavailable, "the WebSocket handshake failed: " + error.message());
  const std::string message = "the server refused the WebSocket with status " + std::to_string(status);
  switch (status) {
    case 401:
      return fail(Errc::unauthorized, message);
    case 403:
      return fail(Errc::forbidden, message);
    case 404:
      return fail(Errc::not_found, message);
    default:
      return fail(Errc::unavailable, message);
  }
}

class Connected final : public WsConnection, public std::enable_shared_from_this<Connected> {
 public:
  Connected(Transport transport, const Env& env, const ServerLimits& limits)
      : stream_(std::move(transport)), env_(env), limits_(limits), ended_signal_(env.timers) {
    ErrorCode ignored;
    stream_.next_layer().socket().set_option(Tcp::no_delay(true), ignored);
    stream_.read_message_max(limits.ws_message_bytes);
    stream_.auto_fragment(false);
    stream_.write_buffer_bytes(next_read);
    // The stream's own timeouts guard the handshakes only; silence is judged in check().
    stream_.set_option(
        websocket::stream_base::timeout{std::chrono::seconds(10), websocket::stream_base::none(), false});
    stream_.control_callback([this](websocket::frame_type, beast::string_view) { note_life(); });
    note_life();
  }

  Task<bool> accept(const Request& request, std::string_view protocol, std::string_view early) override;
  Task<Status> handshake(std::string host, std::string target, Headers headers) override;
  Task<Result<WsMessage>> read() override;
  void send(WsMessage message) override;
  void close(std::uint16_t code, std::string_view reason) override;
  bool open() const override { return !ended_ && !closing_; }
  std::uint16_t close_code() const override { return close_code_; }
  std::string close_reason() const override { return close_reason_; }
  std::size_t queued_bytes() const override { return queued_bytes_; }
  void cut() override { end(); }
  Task<void> finished() override;

 private:
  void start_writer();
  static Task<void> run_writer(std::shared_ptr<Connected> self);
  Task<bool> write_queued();
  void schedule_check();
  void check();
  void ping();
  void note_life() { last_heard_ = env_.timers.now(); }
  void note_close_reason(bool peer_closed);
  void end();

  // The second parameter leaves compression out: events are small, and a window per connection is not.
  websocket::stream<Transport, false> stream_;
  Env env_;
  ServerLimits limits_;
  Signal ended_signal_;
  std::vector<char> read_space_;
  std::deque<WsMessage> queue_;
  std::size_t queued_bytes_ = 0;
  websocket::close_reason closing_with_;
  std::uint16_t close_code_ = 1006;
  std::string close_reason_;
  SteadyTime last_heard_;
  SteadyTime last_ping_;
  SteadyTime write_began_ = SteadyTime::max();
  bool reading_ = false;
  bool writing_ = false;
  bool pinging_ = false;
  bool closing_ = false;
  bool ended_ = false;
};

Task<bool> Connected::accept(const Request& request, std::string_view protocol, std::string_view early) {
  const auto self = shared_from_this();
  // The head is said again in its shortest form: the library takes what follows it as frames, but
  // only from the buffer in which it found the head, and that one is small.
  std::string head =
      "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ";
  head.append(request.header("sec-websocket-key").value_or("")).append("\r\n\r\n").append(early);
  stream_.set_option(websocket::stream_base::decorator(
      [id = request.request_id, name = std::string(protocol)](websocket::response_type& response) {
        response.set("Server", "duragraph");
        response.set("X-Request-Id", id);
        if (!name.empty()) response.set("Sec-WebSocket-Protocol", name);
      }));
  const auto [error] = co_await stream_.async_accept(asio::buffer(head), use_tuple);
  if (error || ended_) {
    end();
    co_return false;
  }
  note_life();
  schedule_check();
  co_return true;
}

Task<Status> Connected::handshake(std::string host, std::string target, Headers headers) {
  const auto self = shared_from_this();
  stream_.set_option(
      websocket::stream_base::decorator([headers = std::move(headers)](websocket::request_type& request) {
        request.set("User-Agent", "duragraph");
        for (const auto& [name, value] : headers) request.set(name, value);
      }));
  websocket::response_type response;
  const auto [error] = co_await stream_.async_handshake(response, host, target, use_tuple);
  if (error || ended_) {
    end();
    co_return to_status(error ? error : ErrorCode(asio::error::operation_aborted), response.result_int());
  }
  note_life();
  schedule_check();
  co_return Status{};
}

Task<Result<WsMessage>> Connected::read() {
  const auto self = shared_from_this();
  if (ended_) co_return fail(gone());
  WsMessage message;
  reading_ = true;
  note_life();
  while (true) {
    const std::size_t size = message.data.empty() ? first_read : next_read;
    read_space_.resize(size);
    const asio::mutable_buffer space(read_space_.data(), size);
    const auto [error, count] = co_await stream_.async_read_some(space, use_tuple);
    note_life();
    message.data.append(read_space_.data(), count);
    if (error) {
      reading_ = false;
      note_close_reason(error == websocket::error::closed);
      end();
      co_return fail(gone());
    }
    if (stream_.is_message_done()) break;
  }
  reading_ = false;
  message.binary = stream_.got_binary();
  if (read_space_.size() > first_read) read_space_ = {};
  co_return message;
}

void Connected::send(WsMessage message) {
  if (!open()) return;
  queued_bytes_ += message.data.size();
  if (queued_bytes_ > limits_.ws_queued_bytes) {
    end();
    return;
  }
  queue_.push_back(std::move(message));
  start_writer();
}

void Connected::close(std::uint16_t code, std::string_view reason) {
  if (!open()) return;
  closing_ = true;
  closing_with_.code = code;
  const std::string_view kept = reason.substr(0, max_close_reason);
  closing_with_.reason.assign(kept.begin(), kept.end());
  env_.timers.call_at(env_.timers.now() + close_time, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->end();
  });
  start_writer();
}

Task<void> Connected::finished() {
  const auto self = shared_from_this();
  while (!ended_) co_await ended_signal_.wait();
}

void Connected::start_writer() {
  if (std::exchange(writing_, true)) return;
  spawn(env_.timers.executor(), "net.websocket.write", run_writer(shared_from_this()));
}

Task<void> Connected::run_writer(std::shared_ptr<Connected> self) {
  const bool sent = co_await self->write_queued();
  self->writing_ = false;
  if (!sent || !self->closing_ || self->ended_) co_return;
  const auto [error] = co_await self->stream_.async_close(self->closing_with_, use_tuple);
  self->note_close_reason(!error);
  self->end();
}

Task<bool> Connected::write_queued() {
  while (!queue_.empty() && !ended_) {
    const WsMessage message = std::move(queue_.front());
    queue_.pop_front();
    stream_.binary(message.binary);
    write_began_ = env_.timers.now();
    const auto [error, count] = co_await stream_.async_write(asio::buffer(message.data), use_tuple);
    write_began_ = SteadyTime::max();
    queued_bytes_ -= message.data.size();
    if (!error) continue;
    // An aborted write beside a read means that the peer is closing: the read answers it.
    if (!reading_ || error != asio::error::operation_aborted) end();
    co_return false;
  }
  co_return !ended_;
}

void Connected::schedule_check() {
  env_.timers.call_at(env_.timers.now() + tick, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->check();
  });
}

void Connected::check() {
  if (ended_) return;
  const auto now = env_.timers.now();
  // Silence says something only while somebody listens: a busy handler leaves pongs unread.
  const Duration silence = reading_ ? now - last_heard_ : Duration::zero();
  const bool stuck = write_began_ != SteadyTime::max() && now - write_began_ > limits_.write_timeout;
  if (stuck || silence > dead_after) {
    end();
    return;
  }
  if (silence >= ping_after && now - last_ping_ >= ping_after && !pinging_) ping();
  schedule_check();
}

void Connected::ping() {
  pinging_ = true;
  last_ping_ = env_.timers.now();
  stream_.async_ping({}, [self = shared_from_this()](const ErrorCode&) { self->pinging_ = false; });
}

void Connected::note_close_reason(bool peer_closed) {
  if (ended_) return;
  const auto& reason = stream_.reason();
  if (reason.code != websocket::close_code::none)
    close_code_ = reason.code;
  else if (peer_closed)
    close_code_ = websocket::close_code::no_status;
  close_reason_.assign(reason.reason.data(), reason.reason.size());
}

void Connected::end() {
  if (std::exchange(ended_, true)) return;
  stream_.next_layer().close();
  queue_.clear();
  ended_signal_.notify_all();
}

}  // namespace

std::optional<std::string> upgrade_problem(const Request& request) {
  if (!list_has_token(request.header("connection").value_or(""), "upgrade"))
    return "the Connection header of a WebSocket request must name Upgrade";
  if (request.header("sec-websocket-version") != "13") return "only version 13 of WebSocket is supported";
  const std::string_view key = request.header("sec-websocket-key").value_or("");
  const bool sane = key.size() == 24 && std::ranges::all_of(key, [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             c == '+' || c == '/' || c == '=';
                    });
  if (!sane) return "the Sec-WebSocket-Key header is missing or broken";
  return std::nullopt;
}

bool wants_websocket(const Request& request) {
  return list_has_token(request.header("upgrade").value_or(""), "websocket");
}

std::shared_ptr<WsConnection> make_ws_connection(Transport transport, const Env& env,
                                                 const ServerLimits& limits) {
  return std::make_shared<Connected>(std::move(transport), env, limits);
}

}  // namespace dg::net
