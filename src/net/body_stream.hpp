// The body of a streamed response.
#pragma once

#include <string_view>

#include "net/connection.hpp"
#include "net/http.hpp"

namespace dg::net {

// Writes a body in chunks, or bare for a client of HTTP/1.0, while it watches the connection for
// its end. What the client sends meanwhile stays in the connection's input for the next request.
class BodyStream final : public Stream {
 public:
  BodyStream(Connection& connection, const Env& env, bool chunked, Duration write_timeout);

  Task<bool> write(std::string_view bytes) override;
  bool closed() const override { return closed_ || connection_.aborted(); }
  bool cut_off() const override { return connection_.aborted(); }
  Signal& on_close() override { return on_close_; }
  void break_off() override { broken_off_ = true; }

  // Starts to watch. From here on finish() must be awaited before this object goes.
  void watch();
  // Ends the body and the watching. True when the connection can carry another request.
  Task<bool> finish();

 private:
  void heard(const ErrorCode& error, std::size_t count);
  void mark_closed();

  Connection& connection_;
  Signal on_close_;
  Signal watch_ended_;
  Duration write_timeout_;
  bool chunked_;
  bool closed_ = false;
  bool watching_ = false;
  bool finishing_ = false;
  bool broken_off_ = false;
};

}  // namespace dg::net
