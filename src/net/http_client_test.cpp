#include "net/http_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/test_support.hpp"

namespace dg::net {
namespace {

using test::ServerRun;

class HttpClientTest : public testing::Test {
 public:
  void SetUp() override {
    run.router.add(Method::post, "/echo", [](Request& request) -> Task<Response> {
      Response response;
      response.status = 201;
      response.headers.emplace_back("X-Peer", request.peer.to_string());
      response.body = request.body + std::string(request.header("x-more").value_or(""));
      co_return response;
    });
    run.router.add(Method::get, "/parts", [](Request&) {
      return test::streamed([](Stream& stream) -> Task<void> {
        for (const char* part : {"one", "two", "three"}) co_await stream.write(part);
      });
    });
    run.start();
    client = std::move(*make_http_client(run.io, run.env, url()));
  }
  ~HttpClientTest() override {
    if (client) run.run(forget());
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", run.server->port()); }
  Result<Response> send(ClientRequest request, Duration guard = test::guard) {
    return run.run(client->send(std::move(request), run.after(guard)));
  }
  Task<void> forget() {
    client.reset();
    co_return;
  }

  ServerRun run;
  std::unique_ptr<HttpClient> client;
};

TEST_F(HttpClientTest, SendsManyRequestsOverOneConnection) {
  std::set<std::string> peers;
  for (int i = 0; i < 3; ++i) {
    const auto body = std::to_string(i) + std::string(100'000, 'x');
    const auto answer = send({Method::post, "/echo", {{"X-More", "!"}}, body, {}});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->body, body + "!");
    for (const auto& [name, value] : answer->headers)
      if (name == "X-Peer") peers.insert(value);
  }
  EXPECT_EQ(run.server->load().connections, 1U);
  EXPECT_EQ(send({}).value().status, 404);
}

TEST_F(HttpClientTest, GivesAStreamAsItComes) {
  std::string text;
  const auto answer =
      send({Method::get, "/parts", {}, "", [&text](std::string_view bytes) { text += bytes; }});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(text, "onetwothree");
  EXPECT_TRUE(answer->body.empty());
  EXPECT_EQ(send({Method::get, "/parts", {}, "", {}}).value().body, "onetwothree");
}

TEST_F(HttpClientTest, SaysWhyThereIsNoAnswer) {
  EXPECT_EQ(make_http_client(run.io, run.env, "https://127.0.0.1:1").error().code, Errc::invalid_argument);
  auto nobody = std::move(*make_http_client(run.io, run.env, "http://127.0.0.1:1"));
  EXPECT_EQ(run.run(nobody->send({}, run.after(test::guard))).error().code, Errc::unavailable);
}

TEST(HttpClientDeadline, EndsAWaitAndTheNextRequestWorks) {
  ServerRun run;
  auto wait = [](Timers& timers) -> Task<Response> {
    co_await sleep_for(timers, test::guard);
    co_return Response{};
  };
  run.router.add(Method::get, "/never", [&](Request&) { return wait(run.env.timers); });
  run.router.add(Method::get, "/", [](Request&) -> Task<Response> { co_return Response{}; });
  run.start();
  auto client =
      std::move(*make_http_client(run.io, run.env, fmt::format("http://127.0.0.1:{}", run.server->port())));
  const auto late =
      run.run(client->send({Method::get, "/never", {}, "", {}}, run.after(std::chrono::milliseconds(50))));
  EXPECT_EQ(late.error().code, Errc::timeout);
  EXPECT_EQ(run.run(client->send({}, run.after(test::guard))).value().status, 200);
  run.stop();
}

}  // namespace
}  // namespace dg::net
