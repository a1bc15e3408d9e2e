#include "net/tls_stream.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstring>
#include <string_view>
#include <tuple>
#include <utility>

namespace dg::net {
namespace {

constexpr unsigned char handshake_record = 22;  // the first byte of whoever speaks TLS
constexpr std::size_t record_bytes = SSL3_RT_MAX_PLAIN_LENGTH;

bool would_block(const ErrorCode& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

long control_socket(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// What the next record is made of: as much as it holds, whichever buffers that lies in. Asked again about the
// same bytes it gives the same, which the library wants after a write that could not go on.
std::string_view next_record(const WriteBuffers& buffers) {
  thread_local std::array<char, record_bytes> joined;
  std::size_t size = 0;
  for (const auto& buffer : buffers) {
    if (buffer.size() == 0) continue;
    if (size == 0 && (buffer.size() >= record_bytes || buffer.size() == asio::buffer_size(buffers)))
      return {static_cast<const char*>(buffer.data()), std::min(buffer.size(), record_bytes)};
    const auto part = std::min(buffer.size(), record_bytes - size);
    std::memcpy(joined.data() + size, buffer.data(), part);
    size += part;
  }
  return {joined.data(), size};
}

}  // namespace

int TlsStream::read_socket(BIO* bio, char* space, int size) {
  auto& self = *static_cast<TlsStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ErrorCode error;
  const auto count = self.socket.read_some(asio::buffer(space, static_cast<std::size_t>(size)), error);
  if (!error) return static_cast<int>(count);
  if (would_block(error)) {
    BIO_set_retry_read(bio);
  } else {
    self.socket_error_ = error;
  }
  return error == asio::error::eof ? 0 : -1;
}

int TlsStream::write_socket(BIO* bio, const char* bytes, int size) {
  auto& self = *static_cast<TlsStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ErrorCode error;
  const auto count = self.socket.write_some(asio::buffer(bytes, static_cast<std::size_t>(size)), error);
  if (!error) return static_cast<int>(count);
  if (would_block(error)) {
    BIO_set_retry_write(bio);
  } else {
    self.socket_error_ = error;
  }
  return -1;
}

const BIO_METHOD* TlsStream::socket_access() {
  static BIO_METHOD* const method = [] {
    auto* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "duragraph socket");
    BIO_meth_set_read(made, read_socket);
    BIO_meth_set_write(made, write_socket);
    BIO_meth_set_ctrl(made, control_socket);
    return made;
  }();
  return method;
}

TlsStream::TlsStream(Socket taken, SSL_CTX* context) : socket(std::move(taken)), ssl_(SSL_new(context)) {
  ErrorCode ignored;
  socket.non_blocking(true, ignored);
  auto* const bio = BIO_new(socket_access());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
}

TlsStream::TlsStream(Socket taken, SSL_CTX* context, const std::string& host)
    : TlsStream(std::move(taken), context) {
  SSL_set_connect_state(ssl_.get());
  ErrorCode no_address;
  asio::ip::make_address(host, no_address);
  if (no_address) {
    SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    SSL_set1_host(ssl_.get(), host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
  }
}

Task<Handshake> TlsStream::look_at_client() {
  auto [error] = co_await socket.async_wait(Socket::wait_read, use_tuple);
  unsigned char first = 0;
  if (!error) socket.receive(asio::buffer(&first, 1), Socket::message_peek, error);
  if (error) co_return Handshake::silent;
  co_return first == handshake_record ? Handshake::done : Handshake::not_tls;
}

Task<Handshake> TlsStream::handshake(std::string& why) {
  const auto self = shared_from_this();
  if (SSL_is_server(ssl_.get()) == 1) {
    if (const auto begun = co_await look_at_client(); begun != Handshake::done) co_return begun;
  }
  ErrorCode error;
  while (true) {
    ERR_clear_error();
    const auto next = next_of(SSL_do_handshake(ssl_.get()), error);
    if (error || next == Next::done) break;
    std::tie(error) = co_await socket.async_wait(
        next == Next::readable ? Socket::wait_read : Socket::wait_write, use_tuple);
    if (error) break;
  }
  usable_ = !error;
  if (error) why = failure(error);
  co_return error ? Handshake::failed : Handshake::done;
}

std::string TlsStream::failure(const ErrorCode& error) const {
  if (const auto verdict = SSL_get_verify_result(ssl_.get()); verdict != X509_V_OK)
    return std::string("the certificate is not trusted: ") + X509_verify_cert_error_string(verdict);
  const auto code = ERR_peek_last_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? error.message() : reason;
}

TlsStream::Next TlsStream::next_of(int result, ErrorCode& error) {
  error = {};
  if (result > 0) return Next::done;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Next::readable;
    case SSL_ERROR_WANT_WRITE:
      return Next::writable;
    case SSL_ERROR_ZERO_RETURN:
      error = asio::error::eof;
      return Next::done;
    default:
      usable_ = false;
      error = socket_error_ ? socket_error_ : ErrorCode(asio::error::connection_aborted);
      return Next::done;
  }
}

TlsStream::Next TlsStream::try_read(asio::mutable_buffer space, std::size_t& count, ErrorCode& error) {
  ERR_clear_error();
  return next_of(SSL_read_ex(ssl_.get(), space.data(), space.size(), &count), error);
}

TlsStream::Next TlsStream::try_write(const WriteBuffers& buffers, std::size_t& count, ErrorCode& error) {
  const auto record = next_record(buffers);
  ERR_clear_error();
  return next_of(SSL_write_ex(ssl_.get(), record.data(), record.size(), &count), error);
}

void TlsStream::complete(Done done, ErrorCode error, std::size_t count, bool on_loop) {
  if (on_loop) return done(error, count);
  asio::post(socket.get_executor(), [done = std::move(done), error, count]() mutable { done(error, count); });
}

template <class Wake>
void TlsStream::wait_for(Next next, Wake wake) {
  socket.async_wait(next == Next::readable ? Socket::wait_read : Socket::wait_write, std::move(wake));
}

void TlsStream::async_read_some(asio::mutable_buffer space, Done done) {
  read(space, std::move(done), false);
}

void TlsStream::read(asio::mutable_buffer space, Done done, bool on_loop) {
  std::size_t count = 0;
  ErrorCode error;
  const auto next = try_read(space, count, error);
  if (next == Next::done) return complete(std::move(done), error, count, on_loop);
  wait_for(next, [self = shared_from_this(), space, done = std::move(done)](const ErrorCode& failed) mutable {
    if (failed) return done(failed, 0);
    self->read(space, std::move(done), true);
  });
}

void TlsStream::async_write_some(const WriteBuffers& buffers, Done done) {
  write(buffers, std::move(done), false);
}

void TlsStream::write(const WriteBuffers& buffers, Done done, bool on_loop) {
  std::size_t count = 0;
  ErrorCode error;
  if (asio::buffer_size(buffers) == 0) return complete(std::move(done), error, 0, on_loop);
  const auto next = try_write(buffers, count, error);
  if (next == Next::done) return complete(std::move(done), error, count, on_loop);
  wait_for(next,
           [self = shared_from_this(), buffers, done = std::move(done)](const ErrorCode& failed) mutable {
             if (failed) return done(failed, 0);
             self->write(buffers, std::move(done), true);
           });
}

std::size_t TlsStream::write_some(WriteBuffers buffers, ErrorCode& error) {
  std::size_t sent = 0;
  error = {};
  while (asio::buffer_size(buffers) > 0) {
    std::size_t count = 0;
    const auto next = try_write(buffers, count, error);
    if (next != Next::done && sent == 0) error = asio::error::would_block;
    if (next != Next::done || error) break;
    sent += count;
    drop_front(buffers, count);
  }
  return sent;
}

void TlsStream::say_goodbye() {
  if (!std::exchange(usable_, false) || !socket.is_open()) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

}  // namespace dg::net
