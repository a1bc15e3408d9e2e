#include "api/worker/endpoint.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "api/api_testing.hpp"
#include "api/worker/test_socket.hpp"

namespace dg::api::worker {
namespace {

using json::View;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* own_session = "018f0000-0000-7000-8000-000000000001";

class EndpointTest : public testing::ApiTest {
 public:
  EndpointTest() { add_worker_endpoint(api_.router(), server_.app(), token_); }
  ~EndpointTest() override {
    for (auto& socket : sockets_) socket->leave(1000);
    server_.settle();
  }

 protected:
  net::Request upgrade(net::Headers headers) {
    net::Request request;
    request.path = request.target = "/api/v1/workers/connect";
    request.headers = std::move(headers);
    return request;
  }
  // The status with which the upgrade is refused; 0 when it is not.
  int gate(net::Headers headers) {
    auto request = upgrade(std::move(headers));
    const auto match = api_.router().match(request);
    const auto refused = server_.wait((*match.ws_gate)(request));
    return refused ? refused->status : 0;
  }

  TestSocket& connect() {
    sockets_.push_back(std::make_unique<TestSocket>(server_.world.timers));
    spawn(server_.world.timers.executor(), "socket", serve(*sockets_.back()));
    return *sockets_.back();
  }
  TestSocket& connect_worker(std::string_view more = "") {
    auto& socket = connect();
    say(socket, std::string(R"({"type":"hello","protocol":1,"session":")") + own_session +
                    R"(","secret":"0123456789abcdef0123456789abcdef","slots":1,"worker":{"name":"w"},
                       "graphs":[{"graph_id":"agent"}])" +
                    std::string(more) + "}");
    return socket;
  }
  void say(TestSocket& socket, std::string text, bool binary = false) {
    socket.say(std::move(text), binary);
    server_.settle();
  }
  static View last(const TestSocket& socket) { return View(socket.sent.back()); }
  static std::string owned(const domain::Run& run, int n, const std::string& members) {
    return R"({"owner":")" + run.id + R"(","epoch":1,"n":)" + std::to_string(n) + "," + members + "}";
  }

  // An object as a binary message of the WebSocket holds it.
  static std::string packed(const std::string& object) {
    std::string out("\0\0", 2);
    out += static_cast<char>(object.size() >> 8);
    out += static_cast<char>(object.size() & 0xff);
    return out + object;
  }

 private:
  Task<void> serve(TestSocket& socket) {
    auto request = upgrade({});
    const auto match = api_.router().match(request);
    co_await (*match.ws_handler)(request, socket);
  }

  std::string token_ = "secret-token";
  std::vector<std::unique_ptr<TestSocket>> sockets_;
};

TEST_F(EndpointTest, OnlyHoldersOfTheTokenMayConnect) {
  EXPECT_EQ(gate({{"Authorization", "Bearer secret-token"}}), 0);
  EXPECT_EQ(gate({}), 401);
  EXPECT_EQ(gate({{"Authorization", "Bearer "}}), 401);
  EXPECT_EQ(gate({{"Authorization", "Bearer secret-toke"}}), 401);
  EXPECT_EQ(gate({{"Authorization", "Bearer secret-token2"}}), 401);
  EXPECT_EQ(gate({{"Authorization", "Basic secret-token"}}), 401);
  EXPECT_EQ(gate({{"Authorization", "Bearer secret-token"}, {"Origin", "http://localhost"}}), 403);
}

TEST_F(EndpointTest, AWorkerIsWelcomedAndGivenWork) {
  const auto run = server_.create();
  auto& socket = connect_worker();
  ASSERT_EQ(socket.sent.size(), 2u);
  const View welcome(socket.sent[0]);
  EXPECT_EQ(welcome["type"].string(), "welcome");
  EXPECT_EQ(welcome["session"].string(), own_session);
  EXPECT_EQ(welcome["heartbeat_ms"].integer(), 2000);
  EXPECT_EQ(welcome["lease_ms"].integer(), 10000);
  EXPECT_EQ(last(socket)["type"].string(), "lease");
  EXPECT_EQ(last(socket)["run"]["run_id"].string(), run.id);
}

TEST_F(EndpointTest, ARunIsExecutedOverTheWire) {
  const auto run = server_.create(server_.make_thread());
  auto& socket = connect_worker();
  say(socket, owned(run, 1, R"("type":"frames","frames":[["values",{"a":1}]])"));
  EXPECT_EQ(socket.sent.back(), R"({"type":"acks","acks":[[")" + run.id + R"(",1,1]]})");
  const std::string object = owned(
      run, 2,
      R"("type":"checkpoint","ns":"","checkpoint_id":"c1","checkpoint":{"type":"x","blob":0},"projection":null,"blobs":[3])");
  say(socket, packed(object) + "abc", true);
  say(socket, R"({"type":"get_tuple","id":5,"owner":")" + run.id + R"(","epoch":1,"thread_id":")" +
                  run.thread_id + R"(","ns":"","checkpoint_id":""})");
  EXPECT_THAT(socket.sent.back(), HasSubstr("\"checkpoint_id\":\"c1\""));
  EXPECT_TRUE(socket.sent.back().ends_with("abc"));
  say(socket, owned(run, 3, R"("type":"complete","status":"success")"));
  EXPECT_EQ(server_.now(run).state, domain::RunState::completed);
  EXPECT_FALSE(socket.closed);
}

TEST_F(EndpointTest, AcknowledgementsShareAMessage) {
  const auto run = server_.create();
  auto& socket = connect_worker();
  const auto said = packed(owned(run, 1, R"("type":"frames","frames":[])"));
  say(socket, said, true);
  const auto before = socket.sent.size();
  say(socket, said + said, true);  // sent again, as after a lost connection
  ASSERT_EQ(socket.sent.size(), before + 1);
  EXPECT_EQ(last(socket)["acks"].elements().size(), 2u);
}

TEST_F(EndpointTest, ARunSeesItsOwnThreadOnly) {
  const auto run = server_.create();
  const auto other = server_.make_thread();
  const auto foreign = server_.create(other);
  auto& socket = connect_worker();
  const auto ask = [&](std::string_view type, std::string_view rest) {
    return fmt::format(R"({{"type":"{}","id":1,"owner":"{}","epoch":1,{}}})", type, run.id, rest);
  };
  for (const auto& question :
       {ask("get_tuple", fmt::format(R"("thread_id":"{}")", other)),
        ask("list", fmt::format(R"("thread_id":"{}")", other)), ask("list", R"("limit":1)"),
        ask("delete_thread", fmt::format(R"("thread_ids":["{}"])", other)),
        ask("delete_for_runs", fmt::format(R"("run_ids":["{}"])", foreign.id)),
        ask("copy_thread", fmt::format(R"("source":"{}","target":"{}")", other, run.thread_id))}) {
    say(socket, question);
    EXPECT_EQ(last(socket)["error"]["code"].string(), "not_found") << question << socket.sent.back();
  }
  EXPECT_FALSE(socket.closed);
}

TEST_F(EndpointTest, AHelloThatIsWrongIsRefusedWithItsCode) {
  const std::vector<std::pair<std::string, int>> hellos{
      {"no JSON", 4400},
      {"[]", 4400},
      {R"({"type":"hello"})", 4426},
      {R"({"type":"hello","protocol":2})", 4426},
      {R"({"type":"hello","protocol":"1"})", 4426},
      {R"({"type":"frames","protocol":1})", 4400},
      {R"({"type":"hello","protocol":1})", 4400},
      {R"({"type":"hello","protocol":1,"session":"x","secret":"y"})", 4400}};
  for (const auto& [hello, code] : hellos) {
    auto& socket = connect();
    say(socket, hello);
    EXPECT_EQ(socket.closed, code) << hello;
    EXPECT_THAT(socket.sent, IsEmpty());
  }
}

TEST_F(EndpointTest, AnotherSecretIsForbidden) {
  connect_worker();
  auto& thief = connect();
  say(thief, std::string(R"({"type":"hello","protocol":1,"slots":1,"session":")") + own_session +
                 R"(","secret":"ffffffffffffffffffffffffffffffff"})");
  EXPECT_EQ(thief.closed, 4403);
}

TEST_F(EndpointTest, AMessageThatBreaksTheProtocolEndsTheConnection) {
  for (const std::string message : {"{", R"({"type":"what"})", "{}", R"({"type":"frames"})", R"({"type":5})",
                                    R"({"type":"complete","owner":"r","epoch":1,"n":1,"status":"well"})"}) {
    auto& socket = connect_worker();
    say(socket, message);
    EXPECT_EQ(socket.closed, 4400) << message;
    EXPECT_FALSE(socket.why.empty());
  }
  auto& socket = connect_worker();
  say(socket, std::string("\0\0\0\x09{}", 6), true);
  EXPECT_EQ(socket.closed, 4400);
}

TEST_F(EndpointTest, OddButHarmlessMessagesAreSurvived) {
  auto& socket = connect_worker();
  for (const std::string message :
       {R"({"type":"beat","extra":[1]})", R"({"type":"reply","id":4711,"result":1})", R"({"type":"reply"})",
        R"({"type":"slots","slots":"many"})", R"({"type":"slots","slots":-9223372036854775808})",
        R"({"type":"slots","slots":9223372036854775807})", R"({"type":"get_tuple"})",
        R"({"type":"list","limit":-1})", R"({"type":"items","puts":[]})", R"({"type":"begin","id":1})",
        R"({"type":"end","id":1,"operation":"x"})", R"({"type":"items_read","id":{"a":1}})",
        R"({"type":"delta_history","channels":5})"}) {
    say(socket, message);
    EXPECT_FALSE(socket.closed) << message << socket.why;
  }
}

TEST_F(EndpointTest, ASessionEndsWithoutBeatsAndLivesByThem) {
  auto& socket = connect_worker();
  for (int i = 0; i < 10; ++i) {
    server_.pass(seconds(2));
    say(socket, R"({"type":"beat"})");
  }
  EXPECT_FALSE(socket.closed);
  server_.pass(seconds(10));
  EXPECT_EQ(socket.closed, 4409);
}

TEST_F(EndpointTest, ASupervisorBeatsForItsWorkersAndTellsTheirEnd) {
  auto& worker = connect_worker(R"(,"supervised":true)");
  auto& supervisor = connect();
  say(supervisor, R"({"type":"supervise","protocol":1,"supervisor":"s"})");
  EXPECT_EQ(last(supervisor)["type"].string(), "welcome");
  for (int i = 0; i < 10; ++i) {
    server_.pass(seconds(2));
    say(supervisor, std::string(R"({"type":"beat","sessions":[")") + own_session + R"(","unknown",7]})");
  }
  EXPECT_FALSE(worker.closed);
  EXPECT_EQ(last(supervisor)["type"].string(), "heard");
  say(supervisor, std::string(R"({"type":"ended","session":")") + own_session + R"(","signal":9})");
  EXPECT_EQ(worker.closed, 4409);
  say(supervisor, R"({"type":"frames"})");
  EXPECT_EQ(supervisor.closed, 4400);
}

TEST_F(EndpointTest, ACleanCloseEndsTheSessionAtOnce) {
  auto& socket = connect_worker();
  socket.leave(1000);
  server_.settle();
  EXPECT_FALSE(server_.app().workers.session(own_session));
  auto& again = connect_worker();
  again.leave(1006);
  server_.settle();
  EXPECT_TRUE(server_.app().workers.session(own_session)) << "it may come back";
}

}  // namespace
}  // namespace dg::api::worker
