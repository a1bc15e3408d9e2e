// Requests to the whole API over a server in virtual time, without sockets.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "api/api.hpp"
#include "app/app_testing.hpp"
#include "base/json.hpp"
#include "net/uri.hpp"

namespace dg::api::testing {

// A client's end of a streamed response: keeps what was written, until it leaves.
class RecordingStream final : public net::Stream {
 public:
  explicit RecordingStream(Timers& timers) : on_close_(timers) {}
  Task<bool> write(std::string_view bytes) override {
    if (closed_) co_return false;
    text += bytes;
    co_return true;
  }
  bool closed() const override { return closed_; }
  bool cut_off() const override { return cut_off_; }
  Signal& on_close() override { return on_close_; }
  void break_off() override { broken_off = true; }

  // The client goes away; or, `cut`, the server ends the connection.
  void close(bool cut = false) {
    closed_ = true;
    cut_off_ = cut;
    on_close_.notify_all();
  }

  std::string text;
  bool broken_off = false;

 private:
  Signal on_close_;
  bool closed_ = false;
  bool cut_off_ = false;
};

// A response whose body is being streamed.
struct Streaming {
  explicit Streaming(Timers& timers) : client(std::make_unique<RecordingStream>(timers)) {}
  net::Response response;
  std::unique_ptr<RecordingStream> client;
  bool ended = false;
};

inline std::optional<std::string> header(const net::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (net::equal_ignoring_case(key, name)) return value;
  return std::nullopt;
}

class ApiTest : public ::testing::Test {
 protected:
  explicit ApiTest(Access access = {}) : ApiTest(ApiSettings{.access = std::move(access)}) {}
  explicit ApiTest(ApiSettings settings) : api_(server_.app(), std::move(settings)) {}

  net::Response call(net::Method method, std::string target, std::string body = "",
                     net::Headers headers = {}) {
    net::Request request;
    request.method = method;
    request.target = std::move(target);
    request.body = std::move(body);
    request.headers = std::move(headers);
    request.request_id = "request-1";
    request.peer = peer_;
    if (!request.header("Host")) request.headers.emplace_back("Host", "localhost:2024");
    if (!net::split_target(request)) throw std::runtime_error("the target is no target");
    const auto match = api_.router().match(request);
    return server_.world.wait(api_.middleware()(request, match));
  }
  net::Response get(std::string target, net::Headers headers = {}) {
    return call(net::Method::get, std::move(target), "", std::move(headers));
  }
  net::Response post(std::string target, std::string body, net::Headers headers = {}) {
    return call(net::Method::post, std::move(target), std::move(body), std::move(headers));
  }

  // Begins to read the body of a streamed response.
  std::unique_ptr<Streaming> follow(net::Response response) {
    auto out = std::make_unique<Streaming>(server_.world.timers);
    out->response = std::move(response);
    if (!out->response.stream) throw std::runtime_error("no stream: " + out->response.body);
    spawn(server_.world.timers.executor(), "stream", read(*out));
    server_.settle();
    return out;
  }

  // The places of the fields that a response says are wrong.
  static std::vector<std::string> wrong_fields(const net::Response& response) {
    std::vector<std::string> out;
    for (const auto error : json::View(response.body)["errors"].elements())
      out.push_back(error["place"].string());
    return out;
  }
  static std::string text_at(const net::Response& response, std::string_view name) {
    return json::View(response.body)[name].string();
  }

  app::testing::TestServer server_;
  Api api_;
  net::Address peer_ = boost::asio::ip::make_address("192.0.2.1");  // whom the next requests come from

 private:
  static Task<void> read(Streaming& streaming) {
    co_await streaming.response.stream(*streaming.client);
    streaming.ended = true;
  }
};

}  // namespace dg::api::testing
