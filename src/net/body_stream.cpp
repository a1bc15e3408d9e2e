#include "net/body_stream.hpp"

#include <charconv>

namespace dg::net {
namespace {

// One read of the watcher; small, since thousands of streams may be open and hear nothing.
constexpr std::size_t watch_bytes = 64;
// Requests that wait behind a stream are held up to this size; after that the kernel holds them.
constexpr std::size_t max_waiting_input = 64u << 10;

}  // namespace

BodyStream::BodyStream(Connection& connection, const Env& env, bool chunked, Duration write_timeout)
    : connection_(connection),
      on_close_(env.timers),
      watch_ended_(env.timers),
      write_timeout_(write_timeout),
      chunked_(chunked) {}

Task<bool> BodyStream::write(std::string_view bytes) {
  if (closed()) co_return false;
  if (bytes.empty()) co_return true;  // an empty chunk would end the body
  char size_line[20];
  char* end = std::to_chars(size_line, size_line + 16, bytes.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  WriteBuffers buffers{asio::buffer(bytes)};
  if (chunked_)
    buffers = {asio::buffer(size_line, static_cast<std::size_t>(end - size_line)), asio::buffer(bytes),
               asio::buffer("\r\n", 2)};
  const bool sent = co_await connection_.write(buffers, write_timeout_);
  if (!sent) mark_closed();
  co_return sent && !closed();
}

void BodyStream::watch() {
  if (closed() || connection_.input.size() >= max_waiting_input) return;
  watching_ = true;
  const asio::mutable_buffer space(connection_.input.prepare(watch_bytes), watch_bytes);
  connection_.transport.async_read_some(
      space, [this](const ErrorCode& error, std::size_t count) { heard(error, count); });
}

void BodyStream::heard(const ErrorCode& error, std::size_t count) {
  watching_ = false;
  if (!error) {
    connection_.input.commit(count);
    if (!finishing_) watch();
  } else if (!finishing_ || error != asio::error::operation_aborted) {
    mark_closed();
  }
  watch_ended_.notify_all();
}

Task<bool> BodyStream::finish() {
  const bool whole = chunked_ && !broken_off_;
  if (whole && !closed()) {
    const WriteBuffers last{asio::buffer("0\r\n\r\n", 5)};
    if (!co_await connection_.write(last, write_timeout_)) mark_closed();
  }
  finishing_ = true;
  if (watching_) connection_.cancel();
  while (watching_) co_await watch_ended_.wait();
  co_return whole && !closed();
}

void BodyStream::mark_closed() {
  if (closed_) return;
  closed_ = true;
  connection_.cancel();  // a write that waits for a client that has gone
  on_close_.notify_all();
}

}  // namespace dg::net
