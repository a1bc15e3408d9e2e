// What the tests of the server share: a server on a thread of its own, and a blocking raw client.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <charconv>
#include <future>
#include <string>
#include <thread>

#include "net/server.hpp"

namespace dg::net::test {

inline constexpr std::chrono::seconds guard{20};

// A clock that runs `speed` times as fast as the real one.
class FastTimers final : public Timers {
 public:
  FastTimers(boost::asio::io_context& io, int speed) : real_(make_system_timers(io)), speed_(speed) {}
  SteadyTime now() const override { return start_ + (real_->now() - start_) * speed_; }
  Id call_at(SteadyTime when, std::function<void()> fn) override {
    return real_->call_at(start_ + (when - start_) / speed_, std::move(fn));
  }
  void cancel(Id id) override { real_->cancel(id); }
  Executor executor() const override { return real_->executor(); }

 private:
  std::unique_ptr<Timers> real_;
  int speed_;
  SteadyTime start_ = real_->now();
};

// A response whose body is what `write` writes.
inline Task<Response> streamed(std::function<Task<void>(Stream&)> write) {
  Response response;
  response.headers = {{"Content-Type", "text/event-stream"}};
  response.stream = std::move(write);
  co_return response;
}

// Runs a loop on a thread, with a server on it after start().
class ServerRun {
 public:
  explicit ServerRun(int speed = 1) : timers_(io, speed) {}
  ~ServerRun() { stop(); }

  void start(ServerLimits limits = {}, const std::optional<TlsFiles>& tls = {}) {
    auto made = listen(
        io, env, "127.0.0.1", 0, router,
        [](Request& request, const Router::Match& match) -> Task<Response> {
          if (match.handler) co_return co_await (*match.handler)(request);
          Response response;
          response.status = match.allowed.empty() ? 404 : 405;
          response.body = "no route";
          co_return response;
        },
        [](const Request&, Error error) {
          Response response;
          response.status = 599;
          response.body = error.message;
          return response;
        },
        limits, tls);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    server = std::move(*made);
    server->serve();
    thread_ = std::thread([this] {
      auto work = boost::asio::make_work_guard(io);
      io.run();
    });
  }

  // Runs a task on the loop and waits for its value.
  template <class T>
  T run(Task<T> task) {
    auto future = boost::asio::co_spawn(io, std::move(task), boost::asio::use_future);
    if (future.wait_for(guard) != std::future_status::ready)
      throw std::runtime_error("the task does not end");
    return future.get();
  }

  SteadyTime after(Duration duration) { return timers_.now() + duration; }

  // Ends the server and lets the loop finish what that sets going.
  void stop() {
    if (!thread_.joinable()) return;
    run(end());
    io.stop();
    thread_.join();
  }

  boost::asio::io_context io{1};

 private:
  Task<void> end() {
    if (!server) co_return;  // a test destroyed it
    co_await server->drain(timers_.now());
    server.reset();
  }

  FastTimers timers_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<Random> random_ = make_system_random();
  std::thread thread_;

 public:
  Env env{*clock_, *random_, timers_};
  Router router;
  std::unique_ptr<Server> server;
};

// A client that sends and receives bytes as they are.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval limit{guard.count(), 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  virtual ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void end_sending() { ::shutdown(fd_, SHUT_WR); }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send_some(bytes);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // Receives until `mark` has come, and returns everything up to its end.
  std::string until(std::string_view mark) {
    while (true) {
      const std::size_t found = held_.find(mark);
      if (found != std::string::npos) return take(found + mark.size());
      if (!receive()) return take(held_.size()) + "<end>";
    }
  }

  std::string exactly(std::size_t bytes) {
    while (held_.size() < bytes && receive()) {
    }
    return take(std::min(bytes, held_.size()));
  }

  // One response with a Content-Length: its head and its body.
  std::pair<std::string, std::string> response() {
    const std::string head = until("\r\n\r\n");
    const std::size_t place = head.find("Content-Length: ");
    std::size_t length = 0;
    if (place != std::string::npos)
      std::from_chars(head.data() + place + 16, head.data() + head.size(), length);
    return {head, exactly(length)};
  }

  // Receives until the server closes. "<timeout>" at the end when it does not.
  std::string rest() {
    while (receive()) {
    }
    return take(held_.size()) + (timed_out_ ? "<timeout>" : "");
  }

 protected:
  int descriptor() const { return fd_; }

 private:
  virtual ssize_t send_some(std::string_view bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  virtual ssize_t receive_some(char* space, std::size_t size) { return ::recv(fd_, space, size, 0); }
  bool receive() {
    char space[16384];
    const ssize_t got = receive_some(space, sizeof space);
    timed_out_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (got <= 0) return false;
    held_.append(space, static_cast<std::size_t>(got));
    return true;
  }
  std::string take(std::size_t bytes) {
    std::string out = held_.substr(0, bytes);
    held_.erase(0, bytes);
    return out;
  }

  int fd_;
  bool timed_out_ = false;
  std::string held_;
};

}  // namespace dg::net::test
