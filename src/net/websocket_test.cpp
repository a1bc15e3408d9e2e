#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/test_support.hpp"

namespace dg::net {
namespace {

using test::RawClient;
using test::ServerRun;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* upgrade =
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

Task<void> echo(Request&, WebSocket& socket) {
  while (true) {
    auto message = co_await socket.read();
    if (!message) co_return;
    socket.send(std::move(*message));
  }
}

Task<std::optional<Response>> gate(const Request& request) {
  const std::string_view given = request.header("authorization").value_or("");
  if (given == "Bearer right") co_return std::nullopt;
  Response refusal;
  refusal.status = given == "Bearer known" ? 403 : 401;
  refusal.body = "no";
  co_return refusal;
}

class WebSocketTest : public testing::Test {
 public:
  explicit WebSocketTest(int speed = 1) : run(speed) {}
  void start(ServerLimits limits = {}, WsHandler handler = echo) {
    run.router.add_websocket("/ws", {}, std::move(handler));
    run.router.add_websocket("/guarded", gate, echo);
    run.start(limits);
  }
  std::string url(std::string_view path = "/ws") {
    return fmt::format("ws://127.0.0.1:{}{}", run.server->port(), path);
  }
  Task<Result<std::unique_ptr<WebSocket>>> connect(std::string path, Headers headers = {},
                                                   ServerLimits limits = {}) {
    return ws_connect(run.io, run.env, url(path), std::move(headers), test::guard, limits);
  }

  ServerRun run;
};

TEST_F(WebSocketTest, EchoesTextAndFiveMegabytes) {
  start();
  auto talk = [](WebSocketTest& test) -> Task<void> {
    auto socket = co_await test.connect("/ws");
    if (!socket) throw std::runtime_error(socket.error().message);
    WsMessage large{.binary = true, .data = std::string(5u << 20, '\xff')};
    (*socket)->send({.binary = false, .data = "text"});
    (*socket)->send(large);
    (*socket)->send({.binary = true, .data = ""});
    auto first = co_await (*socket)->read();
    EXPECT_TRUE(first && !first->binary && first->data == "text");
    auto second = co_await (*socket)->read();
    EXPECT_TRUE(second && second->binary && second->data == large.data);
    auto third = co_await (*socket)->read();
    EXPECT_TRUE(third && third->data.empty());
    (*socket)->close(4000, "enough");
    EXPECT_FALSE((*socket)->open());
    auto last = co_await (*socket)->read();
    EXPECT_FALSE(last.has_value());
    EXPECT_EQ((*socket)->close_code(), 4000);
  };
  run.run(talk(*this));
}

TEST_F(WebSocketTest, TellsHowThePeerClosed) {
  std::promise<std::pair<std::uint16_t, std::string>> told;
  auto serve = [](WebSocket& socket, decltype(told)& out) -> Task<void> {
    auto nothing = co_await socket.read();
    EXPECT_FALSE(nothing.has_value());
    out.set_value({socket.close_code(), socket.close_reason()});
  };
  start({}, [&](Request&, WebSocket& socket) { return serve(socket, told); });
  auto talk = [](WebSocketTest& test) -> Task<void> {
    auto socket = co_await test.connect("/ws");
    (*socket)->close(4001, "bye");
    co_await (*socket)->read();
  };
  run.run(talk(*this));
  const auto [code, reason] = told.get_future().get();
  EXPECT_EQ(code, 4001);
  EXPECT_EQ(reason, "bye");
}

TEST_F(WebSocketTest, ClosesWhenTheHandlerReturns) {
  start({}, [](Request&, WebSocket& socket) -> Task<void> {
    socket.send({.binary = false, .data = "last words"});
    co_return;
  });
  auto talk = [](WebSocketTest& test) -> Task<void> {
    auto socket = co_await test.connect("/ws");
    auto message = co_await (*socket)->read();
    EXPECT_TRUE(message && message->data == "last words");
    auto end = co_await (*socket)->read();
    EXPECT_FALSE(end.has_value());
    EXPECT_EQ((*socket)->close_code(), 1000);
  };
  run.run(talk(*this));
}

TEST_F(WebSocketTest, ClosesOnTooLargeMessages) {
  ServerLimits limits;
  limits.ws_message_bytes = 1000;
  start(limits);
  auto talk = [](WebSocketTest& test) -> Task<void> {
    auto socket = co_await test.connect("/ws");
    (*socket)->send({.binary = true, .data = std::string(1001, 'x')});
    auto end = co_await (*socket)->read();
    EXPECT_FALSE(end.has_value());
    EXPECT_EQ((*socket)->close_code(), 1009);
  };
  run.run(talk(*this));
}

TEST_F(WebSocketTest, MapsRefusals) {
  start();
  auto talk = [](WebSocketTest& test) -> Task<void> {
    auto code_of = [](const Result<std::unique_ptr<WebSocket>>& made) {
      return made ? Errc::internal : made.error().code;
    };
    auto refused = co_await test.connect("/guarded");
    EXPECT_EQ(code_of(refused), Errc::unauthorized);
    Headers known{{"Authorization", "Bearer known"}};
    auto forbidden = co_await test.connect("/guarded", known);
    EXPECT_EQ(code_of(forbidden), Errc::forbidden);
    Headers right{{"Authorization", "Bearer right"}};
    auto accepted = co_await test.connect("/guarded", right);
    EXPECT_TRUE(accepted.has_value());
    auto lost = co_await test.connect("/nowhere");
    EXPECT_EQ(code_of(lost), Errc::not_found);
    auto odd = co_await ws_connect(test.run.io, test.run.env, "ftp://127.0.0.1/", {}, test::guard);
    EXPECT_EQ(code_of(odd), Errc::invalid_argument);
    auto nobody = co_await ws_connect(test.run.io, test.run.env, "ws://127.0.0.1:1/", {}, test::guard);
    EXPECT_EQ(code_of(nobody), Errc::unavailable);
  };
  run.run(talk(*this));
}

TEST_F(WebSocketTest, ConnectingEndsInTime) {
  Signal never(run.env.timers);
  auto wait = [](Signal& end) -> Task<Response> {
    co_await end.wait();
    co_return Response{};
  };
  run.router.add(Method::get, "/slow", [&](Request&) { return wait(never); });
  start();
  auto talk = [](WebSocketTest& test) -> Task<void> {
    auto made =
        co_await ws_connect(test.run.io, test.run.env, test.url("/slow"), {}, std::chrono::milliseconds(50));
    EXPECT_FALSE(made.has_value());
    if (!made) EXPECT_EQ(made.error().code, Errc::timeout);
  };
  run.run(talk(*this));
  boost::asio::post(run.io, [&] { never.notify_all(); });
  run.stop();
}

TEST_F(WebSocketTest, ConfirmsTheSubProtocolThatIsOffered) {
  start();
  RawClient plain(run.server->port());
  plain.send(std::string(upgrade) + "\r\n");
  EXPECT_THAT(plain.until("\r\n\r\n"), testing::Not(HasSubstr("Sec-WebSocket-Protocol")));
  RawClient offering(run.server->port());
  offering.send(std::string(upgrade) +
                "X-Request-Id: r1\r\nSec-WebSocket-Protocol: other, duragraph.worker.v1\r\n\r\n");
  const std::string head = offering.until("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(head, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_THAT(head, HasSubstr("Sec-WebSocket-Protocol: duragraph.worker.v1\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Request-Id: r1\r\n"));
}

TEST_F(WebSocketTest, TakesFramesThatCameWithTheUpgradeAndAnswersPings) {
  start();
  RawClient client(run.server->port());
  const std::string text_frame("\x81\x82\0\0\0\0hi", 8);
  const std::string ping_frame("\x89\x81\0\0\0\0p", 7);
  client.send(std::string(upgrade) + "\r\n" + text_frame + ping_frame);
  client.until("\r\n\r\n");
  const std::string frames = client.exactly(7);
  EXPECT_THAT(frames, HasSubstr("\x81\x02hi"));
  EXPECT_THAT(frames, HasSubstr("\x8a\x01p"));
}

TEST_F(WebSocketTest, RefusesWhatIsNoUpgrade) {
  start();
  const std::string get = "GET /ws HTTP/1.1\r\nHost: x\r\n";
  for (const std::string& text :
       {get, get + "Upgrade: websocket\r\n", get + "Upgrade: websocket\r\nConnection: upgrade\r\n",
        get + "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
              "x\r\n"}) {
    RawClient client(run.server->port());
    client.send(text + "\r\n");
    EXPECT_THAT(client.rest(), StartsWith("HTTP/1.1 400")) << text;
  }
}

TEST_F(WebSocketTest, CutsOffAPeerThatDoesNotRead) {
  ServerLimits limits;
  limits.ws_queued_bytes = 8u << 20;
  std::promise<bool> open;
  auto serve = [](WebSocket& socket, std::promise<bool>& out) -> Task<void> {
    for (int i = 0; i < 9; ++i) socket.send({.binary = true, .data = std::string(1u << 20, 'x')});
    out.set_value(socket.open());
    co_return;
  };
  start(limits, [&](Request&, WebSocket& socket) { return serve(socket, open); });
  RawClient client(run.server->port());
  client.send(std::string(upgrade) + "\r\n");
  auto result = open.get_future();
  ASSERT_EQ(result.wait_for(test::guard), std::future_status::ready);
  EXPECT_FALSE(result.get());
}

TEST_F(WebSocketTest, DrainClosesSocketsAtTheDeadline) {
  start();
  auto talk = [](WebSocketTest& test) -> Task<void> {
    auto socket = co_await test.connect("/ws");
    spawn(test.run.env.timers.executor(), "drain",
          test.run.server->drain(test.run.after(std::chrono::milliseconds(20))));
    auto end = co_await (*socket)->read();
    EXPECT_FALSE(end.has_value());
    EXPECT_EQ((*socket)->close_code(), 1001);
  };
  run.run(talk(*this));
}

TEST_F(WebSocketTest, SocketsCanBeClosedWhileRequestsGoOn) {
  start();
  auto talk = [](WebSocketTest& test) -> Task<void> {
    auto socket = co_await test.connect("/ws");
    test.run.server->close_websockets();
    auto end = co_await (*socket)->read();
    EXPECT_FALSE(end.has_value());
    EXPECT_EQ((*socket)->close_code(), 1001);
    EXPECT_TRUE(co_await test.connect("/ws"));
  };
  run.run(talk(*this));
}

// Time runs a hundred times as fast here, so that silence is noticed within the test.
class SilenceTest : public WebSocketTest {
 public:
  SilenceTest() : WebSocketTest(100) {}
};

TEST_F(SilenceTest, PingsAndThenCutsASilentPeer) {
  std::promise<std::uint16_t> code;
  auto serve = [](WebSocket& socket, std::promise<std::uint16_t>& out) -> Task<void> {
    co_await socket.read();
    out.set_value(socket.close_code());
  };
  start({}, [&](Request&, WebSocket& socket) { return serve(socket, code); });
  RawClient client(run.server->port());
  client.send(std::string(upgrade) + "\r\n");
  client.until("\r\n\r\n");
  EXPECT_EQ(client.exactly(2), std::string("\x89\x00", 2));
  auto result = code.get_future();
  ASSERT_EQ(result.wait_for(test::guard), std::future_status::ready);
  EXPECT_EQ(result.get(), 1006);
}

TEST_F(SilenceTest, KeepsAPeerThatAnswersPings) {
  std::promise<void> kept;
  auto serve = [](WebSocket& socket, std::promise<void>& out) -> Task<void> {
    auto message = co_await socket.read();
    EXPECT_TRUE(message.has_value());
    out.set_value();
  };
  start({}, [&](Request&, WebSocket& socket) { return serve(socket, kept); });
  auto talk = [](WebSocketTest& test) -> Task<void> {
    auto socket = co_await ws_connect(test.run.io, test.run.env, test.url(), {}, std::chrono::minutes(10));
    auto reading = [](WebSocket& end) -> Task<void> { co_await end.read(); };
    spawn(test.run.env.timers.executor(), "reading", reading(**socket));
    co_await sleep_for(test.run.env.timers, std::chrono::seconds(150));
    EXPECT_TRUE((*socket)->open());
    (*socket)->send({.binary = false, .data = "still here"});
    while ((*socket)->open()) co_await sleep_for(test.run.env.timers, std::chrono::seconds(1));
  };
  run.run(talk(*this));
  EXPECT_EQ(kept.get_future().wait_for(test::guard), std::future_status::ready);
}

}  // namespace
}  // namespace dg::net
