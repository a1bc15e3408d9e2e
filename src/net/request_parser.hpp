// Reads one HTTP request from bytes.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "net/http.hpp"

namespace dg::net {

// A strict parser of one HTTP/1.x request; make a fresh one for each message. It refuses what two
// servers could understand differently: a Content-Length beside a Transfer-Encoding or given twice,
// a Transfer-Encoding other than chunked, a missing or repeated Host, a header over two lines.
class RequestParser {
 public:
  // Limits in bytes: of the request line and the headers together, and of the decoded body.
  RequestParser(std::size_t header_limit, std::size_t body_limit);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Parses from the front of `bytes` and returns how many of them it used. What it did not use must
  // be there again at the front of the next call, followed by more.
  std::size_t feed(std::string_view bytes);

  bool head_done() const;
  bool done() const;
  // Set once the request cannot be accepted: bad_request, or too_large for either limit.
  const Error* error() const;
  // Whether the error is that of the headers' limit.
  bool head_too_large() const;

  // These are known when the head is done.
  bool keep_alive() const;  // the client wants to send more on this connection
  bool http10() const;
  bool expects_continue() const;

  // The request as far as it was read. The parser is of no use after that.
  Request take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dg::net
