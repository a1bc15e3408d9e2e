// The worker protocol's endpoint over a whole server in virtual time: whatever a worker and a supervisor say,
// each message is carried out or refused, and one that is refused changes nothing.
//
// An input is a script, a step per line: `{…}` is a text message of the worker, `b{…}` with blobs behind a
// 0x1e a binary one, `r…` the bytes of one, `s{…}` a message of a supervisor, `h` a new connection of the
// same session, `c` a client that starts a run and `k` one that cancels it, `d` a connection that breaks and
// `D` one that is closed, `t` a second that passes. In a message, @run, @epoch, @n and @thread are those of
// the newest lease, @op is the newest operation and @session the session.
#include <fmt/format.h>

#include <array>

#include "api/api_testing.hpp"
#include "api/worker/endpoint.hpp"
#include "api/worker/test_socket.hpp"
#include "api/worker/wire.hpp"
#include "target.hpp"

namespace dg::fuzz {
namespace {

using api::worker::TestSocket;
using json::View;

constexpr std::string_view session = "018f0000-0000-7000-8000-000000000001";
constexpr std::string_view hello =
    R"({"type":"hello","protocol":1,"session":"@session","secret":"0123456789abcdef0123456789abcdef","slots":2,
        "worker":{"name":"w"},"graphs":[{"graph_id":"agent"}]})";
constexpr std::size_t most_steps = 40;
constexpr std::size_t most_runs = 4;
constexpr json::Rules any_depth{4096, false, false};  // what is sent nests what was said

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Carries out a script. The base is a test's, and is used without one.
class Play final : public api::testing::ApiTest {
 public:
  Play() {
    api::worker::add_worker_endpoint(api_.router(), server_.app(), token_);
    thread_ = server_.make_thread();
  }
  ~Play() override {
    for (auto& socket : sockets_) socket->leave(1000);
    server_.settle();
  }

  void step(std::string_view line) {
    switch (line.empty() ? ' ' : line.front()) {
      case '{':
        return say_as(worker_, filled(line), false);
      case 'b':
        return say_as(worker_, binary(line.substr(1)), true);
      case 'r':
        return say_as(worker_, std::string(line.substr(1)), true);
      case 's':
        return say_as(supervisor_, filled(line.substr(1)), false);
      case 'h':
        worker_ = nullptr;
        return say_as(worker_, filled(hello), false);
      case 'c':
        return start_run();
      case 'k':
        post("/runs/cancel?action=interrupt", R"({"status":"all"})");
        return server_.settle();
      case 'd':
      case 'D':
        if (worker_ != nullptr) worker_->leave(line.front() == 'd' ? 1006 : 1000);
        worker_ = nullptr;
        return server_.settle();
      case 't':
        return server_.pass(std::chrono::seconds(1));
      default:
        return;
    }
  }

  // Whatever was said, clients can read what there is.
  void check_reads() {
    const std::string thread = "/threads/" + thread_;
    for (const auto& target : {thread, thread + "/state", thread + "/history", thread + "/runs"})
      check_answer(get(target));
    for (const std::string target : {"/threads/search", "/store/items/search", "/store/namespaces"})
      check_answer(post(target, "{}"));
    for (const auto& run : runs()) {
      const auto stream = follow(get(thread + "/runs/" + run.id + "/stream"));
      stream->client->close();
      server_.pass(std::chrono::seconds(6));  // the stream looks for its client with each heartbeat
      expect(stream->ended, "a stream ends with its client", run.id);
      expect(json::validate(json::quote(stream->client->text), any_depth).has_value(), "a stream is text",
             stream->client->text);
    }
  }

 private:
  void TestBody() override {}

  Task<void> serve(TestSocket& socket) {
    net::Request request;
    request.path = request.target = "/api/v1/workers/connect";
    const auto match = api_.router().match(request);
    co_await (*match.ws_handler)(request, socket);
  }

  std::vector<domain::Run> runs() {
    return server_.get(server_.store().runs({.thread_id = thread_}, {.limit = 100}));
  }

  void start_run() {
    if (runs().size() >= most_runs) return;
    check_answer(
        post("/threads/" + thread_ + "/runs", R"({"assistant_id":"agent","multitask_strategy":"enqueue"})"));
    server_.settle();
  }

  std::string filled(std::string_view line) {
    std::string out(line);
    store::Lease newest;
    for (const auto& lease : server_.get(server_.store().leases())) newest = lease;
    replace_all(out, "@run", newest.owner);
    replace_all(out, "@epoch", std::to_string(newest.epoch));
    replace_all(out, "@n", std::to_string(newest.applied_n + 1));
    replace_all(out, "@thread", thread_);
    replace_all(out, "@op", operation_);
    replace_all(out, "@session", session);
    return out;
  }

  std::string binary(std::string_view line) {
    const auto [object, blobs] = split(line, '\x1e');
    const auto text = filled(object);
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8)
      out.push_back(static_cast<char>(text.size() >> shift & 0xff));
    return out + text + std::string(blobs);
  }

  // Everything durable that a message may change.
  std::string durable() {
    std::string out;
    auto& store = server_.store();
    for (const auto& lease : server_.get(store.leases()))
      out += fmt::format("lease {} {} {}\n", lease.owner, lease.epoch, lease.applied_n);
    for (const auto& row : server_.get(store.sessions()))
      out += "session " + row.id + row.worker + row.graphs + "\n";
    for (const auto& row : server_.get(store.graphs())) out += "graph " + row.graph_id + row.error + "\n";
    for (const auto& run : runs())
      out += fmt::format("run {} {} {} {}\n", run.id, static_cast<int>(run.state), run.version,
                         server_.get(store.frame_count(run.id)));
    for (const auto& tuple : server_.get(store.checkpoints({}))) {
      json::Writer text;
      api::worker::Blobs blobs;
      api::worker::write_tuple(text, blobs, tuple);
      out += blobs.message(text.take()).data + "\n";
    }
    for (const auto& item : server_.get(store.items({.limit = 1000})))
      out += fmt::format("item {} {}\n", item.key, item.value);
    return out;
  }

  void say_as(TestSocket*& socket, std::string text, bool is_binary) {
    if (socket == nullptr || !socket->open()) {
      sockets_.push_back(std::make_unique<TestSocket>(server_.world.timers));
      socket = sockets_.back().get();
      spawn(server_.world.timers.executor(), "socket", serve(*socket));
    }
    const auto before = durable();
    const auto heard = socket->sent.size();
    const std::string about = text;
    socket->say(std::move(text), is_binary);
    server_.settle();
    bool refused = socket->closed.has_value();
    if (refused) check_close(*socket, about);
    for (auto i = heard; i < socket->sent.size(); ++i)
      refused = check_sent(socket->sent[i], about) || refused;
    if (refused && socket->sent.size() <= heard + 1)
      expect(durable() == before, "what is refused changes nothing", about);
  }

  void check_close(const TestSocket& socket, std::string_view about) {
    constexpr std::array codes{4400, 4403, 4409, 4426};
    expect(std::ranges::find(codes, *socket.closed) != codes.end(),
           "a connection is refused for its own fault",
           fmt::format("{} {}: {}", *socket.closed, socket.why, about));
    expect(!socket.why.empty(), "a refusal says why", about);
  }

  // True for a message that refuses.
  bool check_sent(const std::string& data, std::string_view about) {
    const bool is_binary = !data.starts_with('{');
    if (!is_binary) expect(json::validate(data, any_depth).has_value(), "what is sent is JSON", about);
    const auto decoded = api::worker::decode({is_binary, data});
    expect(decoded.has_value(), "what is sent is a message", about);
    const View message = decoded->front().object;
    const auto type = message["type"].string();
    expect(!type.empty(), "what is sent has a type", data);
    if (message["result"]["operation"].is_string()) operation_ = message["result"]["operation"].string();
    expect(message["error"]["code"].string() != "internal", "a refusal is no fault of the server's",
           fmt::format("{}: {}", data, about));
    return type == "superseded" || message["error"].is_object();
  }

  static void check_answer(const net::Response& response) {
    expect(response.status != 500, "an answer is no fault of the server's", response.body);
    if (!response.stream && !response.body.empty())
      expect(json::validate(response.body, any_depth).has_value(), "an answer is JSON", response.body);
  }

  std::string token_ = "token";
  std::string thread_;
  std::string operation_ = "none";
  TestSocket* worker_ = nullptr;
  TestSocket* supervisor_ = nullptr;
  std::vector<std::unique_ptr<TestSocket>> sockets_;
};

void check(std::string_view input) {
  Play play;
  for (std::size_t steps = 0; steps < most_steps && !input.empty(); ++steps) {
    const auto [line, rest] = split(input, '\n');
    play.step(line);
    input = rest;
  }
  play.check_reads();
}

const Registration worker_target("worker", 300, check);

}  // namespace
}  // namespace dg::fuzz
