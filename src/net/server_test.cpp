#include "net/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/test_support.hpp"

namespace dg::net {
namespace {

using test::RawClient;
using test::ServerRun;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Task<Response> echo(Request& request) {
  Response response;
  response.headers = {{"Content-Type", "text/plain"}};
  response.body = request.body;
  co_return response;
}

Task<Response> hello(Request& request) {
  Response response;
  response.body = "hello " + std::string(request.query_value("name").value_or("you"));
  co_return response;
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    run.router.add(Method::post, "/echo", echo);
    run.router.add(Method::get, "/hello", hello);
  }
  void start(ServerLimits limits = {}) { run.start(limits); }
  std::uint16_t port() const { return run.server->port(); }
  // What the server says to `bytes` until it closes.
  std::string whole_answer(std::string_view bytes) {
    RawClient client(port());
    client.send(bytes);
    return client.rest();
  }

  ServerRun run;
};

TEST_F(ServerTest, KeepsConnectionsAlive) {
  start();
  RawClient client(port());
  for (int i = 0; i < 3; ++i) {
    client.send(fmt::format("GET /hello?name=a+%62{} HTTP/1.1\r\nHost: x\r\n\r\n", i));
    const auto [head, body] = client.response();
    EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(head, HasSubstr("X-Request-Id: "));
    EXPECT_EQ(body, fmt::format("hello a b{}", i));
  }
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  RawClient client(port());
  std::string all;
  for (int i = 0; i < 100; ++i)
    all += fmt::format("\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{:03}", i);
  client.send(all);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.response().second, fmt::format("{:03}", i));
}

TEST_F(ServerTest, ReadsARequestThatComesByteByByte) {
  start();
  RawClient client(port());
  for (const char c : std::string("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"))
    client.send({&c, 1});
  EXPECT_EQ(client.response().second, "ok");
}

TEST_F(ServerTest, ReadsChunkedBodies) {
  start();
  RawClient client(port());
  const std::string large(100000, 'x');
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n");
  client.send(fmt::format("{:x}\r\n{}\r\n0\r\nTrailer: x\r\n\r\n", large.size(), large));
  EXPECT_EQ(client.response().second, "abc" + large);
  client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.response().second, "hello you");
}

TEST_F(ServerTest, RefusesWhatCouldBeReadInTwoWays) {
  start();
  const char* const start_line = "POST /echo HTTP/1.1\r\n";
  for (const char* rest : {
           "Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
           "Host: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
           "Host: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
           "Host: x\r\nContent-Length: 3, 3\r\n\r\nabc",
           "Host: x\r\nContent-Length: +3\r\n\r\nabc",
           "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           "Host: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
           "Host: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
           "Host: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
           "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
           "Content-Length: 0\r\n\r\n",
           "Host: x\r\nHost: y\r\n\r\n",
           "Host : x\r\n\r\n",
           "Host: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
           "Host: x\r\nX: y\r\n\tContent-Length: 3\r\n\r\nabc",
           "Host: x\nContent-Length: 0\r\n\r\n",
       }) {
    const std::string answer = whole_answer(std::string(start_line) + rest);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n")) << rest;
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << rest;
    EXPECT_THAT(answer, Not(HasSubstr("<timeout>"))) << rest;
  }
  EXPECT_THAT(whole_answer("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(whole_answer("GET /hello?x=%g HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(whole_answer("GET /hello HTTP/2.0\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST_F(ServerTest, HoldsItsLimits) {
  ServerLimits limits;
  limits.body_bytes = 1000;
  limits.header_bytes = 2000;
  start(limits);
  const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\n";
  const std::string large(2000, 'x');
  EXPECT_THAT(whole_answer(head + "Content-Length: 1001\r\n\r\n" + large.substr(0, 1001)),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(whole_answer(head + "Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + large),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(whole_answer(head + "Large: " + large), StartsWith("HTTP/1.1 431"));
  std::string many = head;
  for (int i = 0; i < 300; ++i) many += "Name: value\r\n";
  EXPECT_THAT(whole_answer(many + "\r\n"), StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(whole_answer(head + "Transfer-Encoding: chunked\r\n\r\n3;" + std::string(200000, 'e')),
              StartsWith("HTTP/1.1 400"));
  RawClient client(port());
  client.send(head + "Content-Length: 1000\r\n\r\n" + large.substr(0, 1000));
  EXPECT_EQ(client.response().second.size(), 1000u);
}

TEST_F(ServerTest, TimesOutSlowRequestsAndIdleConnections) {
  ServerLimits limits;
  limits.header_timeout = limits.body_timeout = limits.idle_timeout = std::chrono::milliseconds(80);
  start(limits);
  EXPECT_THAT(whole_answer("GET /hello HTTP/1.1\r\nHo"), StartsWith("HTTP/1.1 408"));
  EXPECT_THAT(whole_answer("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"),
              StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(whole_answer(""), "");
}

TEST_F(ServerTest, SaysGoOn) {
  start();
  RawClient client(port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_EQ(client.response().second, "ok");
}

TEST_F(ServerTest, AnswersHeadWithoutABody) {
  run.router.add(Method::get, "/none", [](Request&) -> Task<Response> {
    Response response;
    response.status = 204;
    response.body = "not sent";
    co_return response;
  });
  start();
  RawClient client(port());
  client.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.until("\r\n\r\n"), HasSubstr("Content-Length: 9\r\n"));
  const std::string none = client.until("\r\n\r\n");
  EXPECT_THAT(none, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(none, Not(HasSubstr("Content-Length")));
  client.send("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.rest(), testing::EndsWith("hello you"));
}

TEST_F(ServerTest, ClosesAfterHttp10) {
  start();
  const std::string answer = whole_answer("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\nhello you"));
}

TEST_F(ServerTest, RepeatsSaneRequestIdsAndKeepsHeadersWhole) {
  run.router.add(Method::get, "/header", [](Request& request) -> Task<Response> {
    Response response;
    response.headers = {{"Value", std::string(*request.query_value("v"))}, {"Content-Length", "77"}};
    co_return response;
  });
  start();
  RawClient client(port());
  client.send("GET /header?v=a%0d%0aB:c HTTP/1.1\r\nHost: x\r\nX-Request-Id: my-id.1\r\n\r\n");
  const std::string head = client.until("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Value: a  B:c\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Length: 0\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Request-Id: my-id.1\r\n"));
  client.send("GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: a b\r\n\r\n");
  EXPECT_THAT(client.response().first, Not(HasSubstr("a b")));
}

TEST_F(ServerTest, TurnsAwayTooManyConnections) {
  ServerLimits limits;
  limits.max_connections = 1;
  start(limits);
  RawClient first(port());
  first.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(first.response().second, "hello you");
  EXPECT_THAT(whole_answer(""), StartsWith("HTTP/1.1 503"));
}

TEST_F(ServerTest, TellsThatAPortIsTaken) {
  start();
  const auto second = listen(run.io, run.env, "127.0.0.1", port(), run.router, nullptr, nullptr);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Errc::conflict);
  const auto nowhere = listen(run.io, run.env, "no-address", 0, run.router, nullptr, nullptr);
  ASSERT_FALSE(nowhere.has_value());
  EXPECT_EQ(nowhere.error().code, Errc::invalid_argument);
}

TEST_F(ServerTest, SendsLargeBodiesToASlowReader) {
  run.router.add(Method::get, "/large", [](Request&) -> Task<Response> {
    Response response;
    response.body.assign(20u << 20, 'y');
    co_return response;
  });
  start();
  RawClient client(port());
  client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.response().second.size(), 20u << 20);
  EXPECT_EQ(client.response().second, "hello you");
}

TEST_F(ServerTest, CutsOffAReaderThatDoesNotRead) {
  std::promise<bool> written;
  auto write = [](Stream& stream, std::promise<bool>& out) -> Task<void> {
    const std::string large(50u << 20, 'y');
    out.set_value(co_await stream.write(large));
  };
  run.router.add(Method::get, "/large", [&](Request&) {
    return test::streamed([&](Stream& stream) { return write(stream, written); });
  });
  ServerLimits limits;
  limits.write_timeout = std::chrono::milliseconds(100);
  start(limits);
  RawClient client(port());
  client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  auto result = written.get_future();
  ASSERT_EQ(result.wait_for(test::guard), std::future_status::ready);
  EXPECT_FALSE(result.get());
}

TEST_F(ServerTest, DrainLetsRunningRequestsEnd) {
  Signal go(run.env.timers);
  std::promise<void> running;
  auto wait = [](std::promise<void>& begun, Signal& end) -> Task<Response> {
    begun.set_value();
    co_await end.wait();
    Response response;
    response.body = "done";
    co_return response;
  };
  run.router.add(Method::get, "/wait", [&](Request&) { return wait(running, go); });
  start();
  RawClient idle(port());
  idle.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(idle.response().second, "hello you");
  RawClient busy(port());
  busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  running.get_future().wait();

  auto drained =
      boost::asio::co_spawn(run.io, run.server->drain(run.after(test::guard)), boost::asio::use_future);
  EXPECT_EQ(idle.rest(), "");
  boost::asio::post(run.io, [&] { go.notify_all(); });
  const std::string answer = busy.rest();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("done"));
  busy.close();
  EXPECT_EQ(drained.wait_for(test::guard), std::future_status::ready);
}

TEST_F(ServerTest, DrainEndsStreamsAtTheDeadline) {
  run.router.add(Method::get, "/stream", [](Request&) {
    return test::streamed([](Stream& stream) -> Task<void> {
      while (!stream.closed()) co_await stream.on_close().wait();
    });
  });
  start();
  RawClient client(port());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  client.until("\r\n\r\n");
  run.run(run.server->drain(run.after(std::chrono::milliseconds(50))));
  EXPECT_EQ(client.rest(), "");
}

TEST_F(ServerTest, DestroyingTheServerClosesConnections) {
  start();
  RawClient client(port());
  client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  client.response();
  boost::asio::post(run.io, [&] { run.server.reset(); });
  EXPECT_EQ(client.rest(), "");
}

}  // namespace
}  // namespace dg::net
