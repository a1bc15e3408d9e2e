#include "cli/client/api.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "cli/client/exit_code.hpp"

namespace dg::cli {
namespace {

// Answers one connection after the other with the texts it is given, each then closed.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::string> answers)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 16) != 0) std::abort();
    ::getsockname(listener_, generic, &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answers = std::move(answers)] {
      for (const auto& answer : answers) serve(answer);
    });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // The heads of all requests; call it when no more come.
  const std::vector<std::string>& requests() const { return requests_; }

 private:
  void serve(const std::string& answer) {
    const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    std::string head;
    char buffer[4096];
    while (!head.contains("\r\n\r\n")) {
      const auto count = ::read(peer, buffer, sizeof buffer);
      if (count <= 0) break;
      head.append(buffer, static_cast<std::size_t>(count));
    }
    requests_.push_back(head);
    [[maybe_unused]] const auto sent = ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
    ::close(peer);
  }

  int listener_;
  int port_ = 0;
  std::vector<std::string> requests_;
  std::thread thread_;
};

std::string json_answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string chunk(const std::string& text) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx", text.size());
  return std::string(size) + "\r\n" + text + "\r\n";
}

// A stream of these pieces; one that is not finished breaks off.
std::string stream_answer(const std::vector<std::string>& pieces, bool finished) {
  std::string out =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: "
      "close\r\n"
      "Content-Location: /threads/t1/runs/r1\r\nLocation: /threads/t1/runs/r1/stream\r\n\r\n";
  for (const auto& piece : pieces) out += chunk(piece);
  return finished ? out + "0\r\n\r\n" : out;
}

constexpr ResumePolicy quick{std::chrono::milliseconds(1), std::chrono::milliseconds(2),
                             std::chrono::milliseconds(5000), std::chrono::seconds(20)};

std::string frame(int id) {
  return "id: " + std::to_string(id) + "\nevent: e\ndata: " + std::to_string(id * 10) + "\n\n";
}

TEST(FollowRun, ComesBackForExactlyWhatItMissed) {
  ScriptedServer server({stream_answer({frame(0), frame(1), "id: 2\nevent: e\nda"}, false),
                         json_answer(503, "{}"), json_answer(429, "{}"),
                         stream_answer({frame(2), ": heartbeat\n\n", frame(3)}, true),
                         json_answer(200, R"({"run_id":"r1","thread_id":"t1","status":"running"})"),
                         stream_answer({frame(4)}, true),
                         json_answer(200, R"({"run_id":"r1","thread_id":"t1","status":"success"})")});
  Api api(server.url(), "the key");
  StreamPlace place{"t1", ""};
  std::vector<std::string> seen;
  int lost = 0;
  const auto done = follow_run(
      api, HttpCall{.method = "POST", .path = "/threads/t1/runs/stream", .body = "{}"}, place,
      [&](const SseEvent& event) {
        seen.push_back(event.data);
        return true;
      },
      [&] { ++lost; }, quick);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(seen, (std::vector<std::string>{"0", "10", "20", "30", "40"}));
  EXPECT_EQ(place.run_id, "r1");
  EXPECT_EQ(lost, 2) << "once of each connection that was lost, not of each try";
  ASSERT_EQ(server.requests().size(), 7u);
  EXPECT_TRUE(server.requests()[0].starts_with("POST /threads/t1/runs/stream "));
  EXPECT_TRUE(server.requests()[0].contains("x-api-key: the key"));
  for (const std::size_t i : {1, 2, 3}) {
    EXPECT_TRUE(server.requests()[i].starts_with("GET /threads/t1/runs/r1/stream ")) << server.requests()[i];
    EXPECT_TRUE(server.requests()[i].contains("Last-Event-ID: 1\r\n")) << server.requests()[i];
  }
  EXPECT_TRUE(server.requests()[5].contains("Last-Event-ID: 3\r\n"));
}

TEST(FollowRun, AsksForEverythingWhenItSawNothing) {
  ScriptedServer server({stream_answer({}, false), stream_answer({frame(0)}, true), json_answer(404, "{}")});
  Api api(server.url(), "");
  StreamPlace place;
  int frames = 0;
  ASSERT_TRUE(follow_run(
      api, HttpCall{.method = "POST", .path = "/threads/t1/runs/stream", .body = "{}"}, place,
      [&](const SseEvent&) { return ++frames > 0; }, {}, quick));
  EXPECT_EQ(frames, 1);
  EXPECT_TRUE(server.requests()[1].contains("Last-Event-ID: -1\r\n"));
  EXPECT_FALSE(server.requests()[1].contains("x-api-key"));
}

TEST(FollowRun, GivesUpAndNamesTheRun) {
  ScriptedServer server({stream_answer({frame(0)}, false)});
  Api api(server.url(), "");
  StreamPlace place;
  auto hasty = quick;
  hasty.give_up = std::chrono::milliseconds(0);
  const auto done = follow_run(
      api, HttpCall{.path = "/threads/t1/runs/r1/stream"}, place, [](const SseEvent&) { return true; }, {},
      hasty);
  ASSERT_FALSE(done);
  EXPECT_EQ(exit_code_for(done.error().code), ExitCode::unreachable);
  EXPECT_TRUE(done.error().message.contains("r1"));
}

TEST(FollowRun, StopsWhenItsReaderDoes) {
  ScriptedServer server({stream_answer({frame(0), frame(1)}, false)});
  Api api(server.url(), "");
  StreamPlace place;
  int frames = 0;
  ASSERT_TRUE(follow_run(
      api, HttpCall{.path = "/threads/t1/runs/r1/stream"}, place,
      [&](const SseEvent&) { return ++frames < 1; }, {}, quick));
  EXPECT_EQ(frames, 1);
}

TEST(Api, TellsErrorsInTheServersWords) {
  ScriptedServer server(
      {json_answer(404, R"({"detail":"Run not found"})"), json_answer(409, R"({"message":"busy"})"),
       json_answer(401, "{}"), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n<p>",
       json_answer(422, R"({"detail":"no","errors":[{"place":"input","message":"wrong"}]})")});
  Api api(server.url(), "");
  const auto missing = api.run("x");
  EXPECT_EQ(missing.error().message, "Run not found");
  EXPECT_EQ(exit_code_for(missing.error().code), ExitCode::not_found);
  EXPECT_EQ(exit_code_for(api.get("/").error().code), ExitCode::conflict);
  EXPECT_EQ(exit_code_for(api.get("/").error().code), ExitCode::unauthorized);
  EXPECT_EQ(exit_code_for(api.get("/").error().code), ExitCode::failed);
  const auto invalid = api.get("/");
  EXPECT_EQ(exit_code_for(invalid.error().code), ExitCode::usage);
  EXPECT_TRUE(invalid.error().message.contains("input: wrong"));
}

TEST(Api, SaysThatNobodyAnswers) {
  std::string url;
  {
    url = ScriptedServer({}).url();
  }
  Api api(url, "");
  EXPECT_EQ(exit_code_for(api.get("/info").error().code), ExitCode::unreachable);
}

}  // namespace
}  // namespace dg::cli
