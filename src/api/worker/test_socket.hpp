// The worker protocol without a network, for tests.
#pragma once

#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "api/worker/wire.hpp"
#include "base/async.hpp"
#include "net/http.hpp"

namespace dg::api::worker {

// The server's end of a connection whose other end is a test.
class TestSocket final : public net::WebSocket {
 public:
  explicit TestSocket(Timers& timers) : changed_(timers) {}

  Task<Result<net::WsMessage>> read() override {
    while (incoming_.empty() && open_) co_await changed_.wait();
    if (incoming_.empty()) co_return fail(Errc::unavailable, "closed");
    auto message = std::move(incoming_.front());
    incoming_.pop_front();
    co_return message;
  }
  void send(net::WsMessage message) override {
    const auto messages = decode(std::move(message));
    if (!messages) throw std::runtime_error("what is sent is no message: " + messages.error().message);
    for (const auto& one : *messages) sent.push_back(as_alone(one));
  }
  void close(std::uint16_t code, std::string_view reason) override {
    if (!open_) return;
    closed = code;
    why = reason;
    open_ = false;
    changed_.notify_all();
  }
  bool open() const override { return open_; }
  std::uint16_t close_code() const override { return peer_code_; }
  std::string close_reason() const override { return ""; }

  // The other end says something, or goes.
  void say(std::string text, bool binary = false) {
    incoming_.push_back({binary, std::move(text)});
    changed_.notify_all();
  }
  void leave(std::uint16_t code) {
    peer_code_ = code;
    open_ = false;
    changed_.notify_all();
  }

  std::vector<std::string> sent;  // each as if it were sent alone
  std::optional<std::uint16_t> closed;
  std::string why;

 private:
  static std::string as_alone(const Incoming& message) {
    const auto object = message.object.raw();
    if (message.blobs.empty()) return std::string(object);
    const auto last = message.blobs.back();
    return {object.data() - 4, last.data() + last.size()};
  }

  Signal changed_;
  std::deque<net::WsMessage> incoming_;
  std::uint16_t peer_code_ = 1006;
  bool open_ = true;
};

}  // namespace dg::api::worker
