#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "net/test_support.hpp"

namespace dg::net {
namespace {

using test::RawClient;
using test::ServerRun;
using testing::HasSubstr;
using testing::Not;

class StreamTest : public testing::Test {
 protected:
  void serve(std::function<Task<void>(Stream&)> write) {
    run.router.add(Method::get, "/stream",
                   [write = std::move(write)](Request&) { return test::streamed(write); });
    run.router.add(Method::get, "/plain", [](Request&) -> Task<Response> {
      Response response;
      response.body = "plain";
      co_return response;
    });
    run.start();
  }

  ServerRun run;
};

TEST_F(StreamTest, WritesChunksAndKeepsTheConnection) {
  serve([](Stream& stream) -> Task<void> {
    co_await stream.write("one");
    co_await stream.write("");
    co_await stream.write("a longer one");
  });
  RawClient client(run.server->port());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.until("\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_EQ(client.until("0\r\n\r\n"), "3\r\none\r\nc\r\na longer one\r\n0\r\n\r\n");
  client.send("GET /plain HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.response().second, "plain");
}

TEST_F(StreamTest, WhatIsBrokenOffHasNoEnd) {
  serve([](Stream& stream) -> Task<void> {
    co_await stream.write("one");
    stream.break_off();
  });
  RawClient client(run.server->port());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  client.until("\r\n\r\n");
  EXPECT_EQ(client.rest(), "3\r\none\r\n");
}

TEST_F(StreamTest, SendsTheHeadAtOnceAndKeepsWhatIsPipelinedBehindIt) {
  Signal go(run.env.timers);
  auto write = [](Stream& stream, Signal& when) -> Task<void> {
    co_await when.wait();
    co_await stream.write("late");
  };
  serve([&](Stream& stream) { return write(stream, go); });
  RawClient client(run.server->port());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  client.until("\r\n\r\n");
  std::string behind;
  for (int i = 0; i < 40; ++i)
    behind += "GET /plain HTTP/1.1\r\nHost: x\r\nPad: " + std::string(4000, 'p') + "\r\n\r\n";
  std::thread sender([&] { client.send(behind); });
  boost::asio::post(run.io, [&] { go.notify_all(); });
  EXPECT_EQ(client.until("0\r\n\r\n"), "4\r\nlate\r\n0\r\n\r\n");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(client.response().second, "plain");
  sender.join();
}

TEST_F(StreamTest, NoticesAnIdleClientThatLeaves) {
  std::promise<bool> noticed;
  auto write = [](Stream& stream, std::promise<bool>& out) -> Task<void> {
    while (!stream.closed()) co_await stream.on_close().wait();
    out.set_value(co_await stream.write("nobody hears"));
  };
  serve([&](Stream& stream) { return write(stream, noticed); });
  RawClient client(run.server->port());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  client.until("\r\n\r\n");
  client.close();
  auto result = noticed.get_future();
  ASSERT_EQ(result.wait_for(test::guard), std::future_status::ready);
  EXPECT_FALSE(result.get());
}

TEST_F(StreamTest, NoticesAClientThatLeavesWhileItIsWrittenTo) {
  std::promise<void> noticed;
  auto write = [](Stream& stream, std::promise<void>& out) -> Task<void> {
    const std::string large(1u << 20, 'x');
    while (co_await stream.write(large)) {
    }
    out.set_value();
  };
  serve([&](Stream& stream) { return write(stream, noticed); });
  RawClient client(run.server->port());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  client.until("\r\n\r\n");
  client.close();
  EXPECT_EQ(noticed.get_future().wait_for(test::guard), std::future_status::ready);
}

TEST_F(StreamTest, WritesBareBytesToHttp10) {
  serve([](Stream& stream) -> Task<void> {
    co_await stream.write("one");
    co_await stream.write("two");
  });
  RawClient client(run.server->port());
  client.send("GET /stream HTTP/1.0\r\n\r\n");
  const std::string answer = client.rest();
  EXPECT_THAT(answer, Not(HasSubstr("chunked")));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\nonetwo"));
}

TEST_F(StreamTest, AnswersHeadWithoutRunningTheBody) {
  std::atomic<bool> ran = false;
  auto write = [](std::atomic<bool>& out) -> Task<void> {
    out = true;
    co_return;
  };
  serve([&](Stream&) { return write(ran); });
  RawClient client(run.server->port());
  client.send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\nGET /plain HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.until("\r\n\r\n"), HasSubstr("200 OK"));
  EXPECT_EQ(client.response().second, "plain");
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace dg::net
