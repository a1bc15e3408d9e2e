// The certificates that a server shows, read anew when their files change.
#pragma once

#include <openssl/ssl.h>

#include <compare>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/async.hpp"
#include "base/result.hpp"
#include "net/server.hpp"

namespace dg::net {

struct FreeSslContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSslContext>;

// TLS 1.2 with forward secrecy, or 1.3; by ALPN it speaks http/1.1. invalid_argument names the file that
// cannot be used, and why.
Result<SslContext> make_server_context(const TlsFiles& files);

// What tells one content of a file from another without reading it.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = -1;
  std::int64_t changed_ns = 0;
  auto operator<=>(const FileStamp&) const = default;
};

// What clients of this process use: whom the system trusts is trusted, or the authorities in the file that
// SSL_CERT_FILE names. Read once.
SSL_CTX* client_context();

class TlsContext {
 public:
  static Result<std::unique_ptr<TlsContext>> open(TlsFiles files, Timers& timers);

  // What the next connection is to use. Looks at the files, at most every two seconds, and reads them when
  // they changed; while they cannot be used, the last good ones stay, and the log says why. Open connections
  // keep what they began with.
  SSL_CTX* current();

 private:
  using Stamps = std::pair<FileStamp, FileStamp>;

  TlsContext(TlsFiles files, Timers& timers) : files_(std::move(files)), timers_(timers) {}
  Stamps stamps() const;
  Status load();

  TlsFiles files_;
  Timers& timers_;
  SslContext context_;
  Stamps read_;
  SteadyTime next_look_;
};

}  // namespace dg::net
