// TLS over a socket.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "net/io.hpp"

namespace dg::net {

// How a handshake ended.
enum class Handshake {
  done,
  silent,   // the client closed before it said anything
  not_tls,  // it speaks HTTP, or what may be that, in the clear
  failed,
};

// The library reads and writes the socket itself and never waits; waiting for the socket is done here. Bytes
// are not copied through buffers in between, a write is tried before the loop is asked, and so is the
// farewell. One read and one write at a time. Operations that wait keep the stream alive.
class TlsStream : public std::enable_shared_from_this<TlsStream> {
 public:
  using Done = std::move_only_function<void(ErrorCode, std::size_t)>;

  // The server's side.
  TlsStream(Socket socket, SSL_CTX* context);
  // The side of a client, which accepts nobody but `host`.
  TlsStream(Socket socket, SSL_CTX* context, const std::string& host);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  ~TlsStream() = default;

  // Reads and writes wait for it. `why` says what failed. Cancelling the socket ends it.
  Task<Handshake> handshake(std::string& why);
  // As a socket's operations of these names: `done` is never called from inside the call.
  void async_read_some(asio::mutable_buffer space, Done done);
  void async_write_some(const WriteBuffers& buffers, Done done);
  // Sends what the socket takes now; would_block when that is nothing.
  std::size_t write_some(WriteBuffers buffers, ErrorCode& error);
  // Tells the client that nothing more comes, if the socket takes it.
  void say_goodbye();

  Socket socket;

 private:
  enum class Next { done, readable, writable };
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  // The library's own access to sockets would raise SIGPIPE, and would go on with a descriptor that is
  // closed.
  static const BIO_METHOD* socket_access();
  static int read_socket(BIO* bio, char* space, int size);
  static int write_socket(BIO* bio, const char* bytes, int size);

  // Looks at how the client begins, without taking it.
  Task<Handshake> look_at_client();
  std::string failure(const ErrorCode& error) const;
  // What has to happen before the operation that gave `result` can go on; `error` is set where it cannot.
  Next next_of(int result, ErrorCode& error);
  Next try_read(asio::mutable_buffer space, std::size_t& count, ErrorCode& error);
  Next try_write(const WriteBuffers& buffers, std::size_t& count, ErrorCode& error);
  void read(asio::mutable_buffer space, Done done, bool on_loop);
  void write(const WriteBuffers& buffers, Done done, bool on_loop);
  void complete(Done done, ErrorCode error, std::size_t count, bool on_loop);
  template <class Wake>
  void wait_for(Next next, Wake wake);

  std::unique_ptr<SSL, FreeSsl> ssl_;
  ErrorCode socket_error_;
  bool usable_ = false;  // the handshake is done, and nothing has broken since
};

}  // namespace dg::net
