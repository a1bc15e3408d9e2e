// What a connection's bytes go through.
#pragma once

#include <boost/asio/async_result.hpp>
#include <memory>
#include <string>
#include <utility>

#include "net/tls_stream.hpp"

namespace dg::net {

// A socket, or TLS over one. What is above is compiled once for both: it has what asio and Beast ask of an
// asynchronous stream. In the clear its operations are the socket's own.
class Transport {
 public:
  using executor_type = Executor;

  explicit Transport(Socket plain) : plain_(std::move(plain)) {}
  explicit Transport(std::shared_ptr<TlsStream> tls)
      : plain_(tls->socket.get_executor()), tls_(std::move(tls)) {}

  Transport(Transport&&) = default;
  Transport& operator=(Transport&&) = delete;
  ~Transport() {
    if (!tls_) return;
    ErrorCode ignored;
    tls_->socket.close(ignored);  // an operation that waits would keep it open
  }

  Executor get_executor() { return plain_.get_executor(); }
  Socket& socket() { return tls_ ? tls_->socket : plain_; }
  const Socket& socket() const { return tls_ ? tls_->socket : plain_; }

  bool has_tls() const { return tls_ != nullptr; }
  Task<Handshake> handshake(std::string& why) { return tls_->handshake(why); }
  // Goes on in the clear with a client that has not begun a handshake.
  void drop_tls() {
    plain_ = std::move(tls_->socket);
    tls_.reset();
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token token) {
    return asio::async_initiate<Token, void(ErrorCode, std::size_t)>(
        [this](auto done, const Buffers& given) {
          if (!tls_) return plain_.async_read_some(given, std::move(done));
          tls_->async_read_some(first_of(given), std::move(done));
        },
        token, buffers);
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token token) {
    return asio::async_initiate<Token, void(ErrorCode, std::size_t)>(
        [this](auto done, const Buffers& given) {
          if (!tls_) return plain_.async_write_some(given, std::move(done));
          tls_->async_write_some(first_some_of(given), std::move(done));
        },
        token, buffers);
  }
  // Sends what can be sent now; would_block when that is nothing.
  std::size_t write_some(const WriteBuffers& buffers, ErrorCode& error) {
    return tls_ ? tls_->write_some(buffers, error) : plain_.write_some(buffers, error);
  }

  // Tells the other end that nothing more comes; it may go on sending.
  void end_sending(ErrorCode& error) {
    say_goodbye();
    socket().shutdown(Socket::shutdown_send, error);
  }
  void say_goodbye() {
    if (tls_) tls_->say_goodbye();
  }
  void close() {
    say_goodbye();
    ErrorCode ignored;
    socket().close(ignored);
  }

 private:
  template <class Buffers>
  static asio::mutable_buffer first_of(const Buffers& buffers) {
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto at = asio::buffer_sequence_begin(buffers); at != end; ++at)
      if (const asio::mutable_buffer buffer(*at); buffer.size() > 0) return buffer;
    return {};
  }
  template <class Buffers>
  static WriteBuffers first_some_of(const Buffers& buffers) {
    WriteBuffers out;
    std::size_t count = 0;
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto at = asio::buffer_sequence_begin(buffers); at != end && count < out.size(); ++at)
      if (const asio::const_buffer buffer(*at); buffer.size() > 0) out[count++] = buffer;
    return out;
  }

  Socket plain_;
  std::shared_ptr<TlsStream> tls_;
};

}  // namespace dg::net
