// Reads one HTTP response from bytes.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "net/http.hpp"

namespace dg::net {

// A parser of one HTTP/1.x response; make a fresh one for each message.
class ResponseParser {
 public:
  // `on_bytes` gets the decoded body as it comes; without it the body is kept in the response.
  // `has_body` is false for the answer to a HEAD request.
  ResponseParser(bool has_body, std::function<void(std::string_view)> on_bytes);
  ~ResponseParser();
  ResponseParser(const ResponseParser&) = delete;
  ResponseParser& operator=(const ResponseParser&) = delete;

  // Parses from the front of `bytes` and returns how many of them it used. What it did not use must
  // be there again at the front of the next call, followed by more. bad_request: this is no HTTP.
  Result<std::size_t> feed(std::string_view bytes);
  // The connection ended: whether the response is whole.
  bool finish();

  bool done() const;
  bool keep_alive() const;
  Response take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dg::net
