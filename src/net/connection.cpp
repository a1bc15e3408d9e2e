#include "net/connection.hpp"

#include <boost/asio/write.hpp>
#include <tuple>
#include <utility>

namespace dg::net {
namespace {

constexpr Duration linger_time = std::chrono::seconds(2);
constexpr std::size_t linger_read = 16u << 10;

}  // namespace

Connection::Connection(Transport taken, const Env& env) : transport(std::move(taken)), env_(env) {
  ErrorCode ignored;
  auto& socket = transport.socket();
  socket.set_option(Tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.non_blocking(true, ignored);
}

Task<bool> Connection::receive(std::size_t bytes) {
  const asio::mutable_buffer space(input.prepare(bytes), bytes);
  const auto [error, count] = co_await transport.async_read_some(space, use_tuple);
  if (!error) input.commit(count);
  co_return !error && !expired_;
}

Task<bool> Connection::write(WriteBuffers buffers, Duration timeout) {
  // Nearly every response fits into the socket's buffer: trying first saves a turn of the loop.
  ErrorCode error;
  const std::size_t sent = transport.write_some(buffers, error);
  if (error && error != asio::error::would_block && error != asio::error::try_again) co_return false;
  if (sent == asio::buffer_size(buffers)) co_return true;
  drop_front(buffers, sent);
  set_deadline(timeout);
  const auto [failed, rest] = co_await asio::async_write(transport, buffers, use_tuple);
  const bool late = expired_;
  clear_deadline();
  co_return !failed && !late;
}

Task<void> Connection::linger() {
  ErrorCode error;
  transport.end_sending(error);
  set_deadline(linger_time);
  // What comes is not read as TLS any more: it is not looked at.
  while (!error && !expired_) {
    input.clear();
    const asio::mutable_buffer space(input.prepare(linger_read), linger_read);
    std::tie(error, std::ignore) = co_await transport.socket().async_read_some(space, use_tuple);
  }
}

void Connection::set_deadline(Duration from_now) {
  deadline_ = env_.timers.now() + from_now;
  expired_ = false;
}

void Connection::clear_deadline() {
  deadline_ = SteadyTime::max();
  expired_ = false;
}

void Connection::check(SteadyTime now) {
  if (now < deadline_) return;
  deadline_ = SteadyTime::max();
  expired_ = true;
  cancel();
}

void Connection::abort() {
  aborted_ = true;
  transport.close();
}

void Connection::cancel() {
  ErrorCode ignored;
  transport.socket().cancel(ignored);
}

}  // namespace dg::net
