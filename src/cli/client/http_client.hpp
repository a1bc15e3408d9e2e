// The outgoing side of HTTP for a command-line program: one request at a time, blocking.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace dg::cli {

struct HttpCall {
  std::string method = "GET";
  std::string path;    // with the query, already percent-encoded; begins with "/"
  std::string body{};  // JSON; empty for none
  std::vector<std::pair<std::string, std::string>> headers{};
  // The whole call's limit; zero for none.
  std::chrono::milliseconds timeout{0};
  // A response silent for this long counts as a lost connection; zero for none. Servers send a
  // heartbeat about every 5 s on streams.
  std::chrono::seconds silence{0};
};

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // empty where it went to `on_bytes`
  bool complete = true;                        // false when the connection was lost inside the body
};

// The base URL that a person's address of a server means: `given` without "/" and the API's own "/api/v1" at
// its end, with a scheme. invalid_argument where it is no address.
Result<std::string> to_base_url(std::string_view given);

// Sends requests to one server with the API key, where there is one.
class HttpClient {
 public:
  // `base_url` is the server's address as to_base_url makes it, with or without a path prefix.
  HttpClient(std::string base_url, std::string api_key);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Bytes of a 2xx body go to `on_bytes` as they arrive, where it is given; it returns false to end
  // the call, which is then answered as complete. Errors: unavailable when nobody answers or the
  // connection is lost before a status came, timeout, invalid_argument for an unusable URL.
  Result<HttpAnswer> send(const HttpCall& call, const std::function<bool(std::string_view)>& on_bytes = {});

  const std::string& base_url() const { return base_url_; }

 private:
  struct Handle;
  std::string base_url_;
  std::string api_key_;
  std::unique_ptr<Handle> handle_;
};

// `text` as one segment of a path or a value of a query.
std::string percent_encode(std::string_view text);

}  // namespace dg::cli
