#include "cli/supervisor/supervisor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "base/json.hpp"
#include "base/scratch_folder.hpp"
#include "base/system_world.hpp"
#include "net/server.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds guard{30};

// A worker of a few lines: says that it serves, unless told otherwise by files in its folder, and
// ends when it is drained or its supervisor is gone.
constexpr std::string_view worker_script = R"(#!/bin/sh
echo "$DURAGRAPH_SESSION $$ $DURAGRAPH_RELOAD $COLOUR" >> starts
if [ -f hangs ]; then exec sleep 1000; fi
graphs='"a"'
if [ -f broken ]; then
  echo '{"event":"broken","graph_id":"a","error":"SyntaxError","message":"m","file":"a.py","line":3}' >&3
  graphs=
  case "$DURAGRAPH_SERVED" in *'"a"'*) exit 3 ;; esac
fi
if [ -f unusable ]; then
  echo "{\"event\":\"unusable\",\"message\":\"$(cat unusable)\"}" >&3
  exit 2
fi
if [ -f finishes ]; then echo '{"event":"finished"}' >&3; fi
echo "{\"event\":\"ready\",\"graphs\":[$graphs]}" >&3
while read -r line; do
  case "$line" in *drain*) echo "$DURAGRAPH_SESSION" >> drained; exit 0 ;; esac
done
)";

struct Start {
  std::string session;
  int pid = 0;
  std::string reload;
  std::string colour;
};

// A supervisor and a server that writes down what it is told, on one loop.
class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    router_.add_websocket(
        "/api/v1/workers/connect",
        [](const net::Request&) -> Task<std::optional<net::Response>> { co_return std::nullopt; },
        [this](net::Request& request, net::WebSocket& socket) { return listen_to(request, socket); });
  }

  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    python_ = dir_ / "python";
    std::ofstream(dir_ / "python") << worker_script;
    fs::permissions(dir_ / "python", fs::perms::owner_all);
    auto server = net::listen(
        io_, env_, "127.0.0.1", 0, router_,
        [](net::Request&, const net::Router::Match&) -> Task<net::Response> { co_return net::Response{}; },
        [](const net::Request&, Error) { return net::Response{}; });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    server_->serve();
  }

  void TearDown() override {
    supervisor_.reset();
    for (const auto& start : starts()) ::kill(-start.pid, SIGKILL);
  }

  void start(int processes = 1) {
    SupervisorOptions options;
    options.python = [this] {
      ++asked_;
      return python_;
    };
    options.host = dir_ / "host";
    options.config = dir_ / "langgraph.json";
    options.url = "http://127.0.0.1:" + std::to_string(server_->port());
    options.token = "the token";
    options.processes = processes;
    options.proven_after = proven_after_;
    options.environment = [] { return Environment{{"COLOUR", "blue"}, {"DURAGRAPH_SESSION", "not this"}}; };
    supervisor_ = std::make_unique<Supervisor>(io_, env_, std::move(options));
    supervisor_->start();
  }

  Task<void> listen_to(net::Request& request, net::WebSocket& socket) {
    authorization_ = request.header("authorization").value_or("");
    socket_ = &socket;
    ++connections_;
    while (auto message = co_await socket.read()) {
      const json::View said(message->data);
      const auto type = said["type"].string();
      if (type == "supervise") {
        if (answers_beats_) socket.send({false, R"({"type":"welcome","answers_beats":true})"});
      } else if (type == "beat") {
        beaten_.clear();
        for (const auto& session : said["sessions"].elements()) beaten_.insert(session.string());
        ++beats_;
      } else if (type == "ended") {
        ended_[said["session"].string()] = said["signal"].integer().value_or(0);
      }
    }
    socket_ = nullptr;
  }

  // Runs the loop until the condition holds.
  template <class Condition>
  void until(Condition condition, const char* what) {
    const auto limit = std::chrono::steady_clock::now() + guard;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit) << what;
      io_.run_one_for(std::chrono::milliseconds(10));
    }
  }

  std::vector<std::string> lines(const char* name) const {
    std::ifstream in(dir_ / name);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }
  std::vector<Start> starts() const {
    std::vector<Start> out;
    for (const auto& line : lines("starts")) {
      std::istringstream in(line);
      Start start;
      in >> start.session >> start.pid >> start.reload >> start.colour;
      out.push_back(start);
    }
    return out;
  }
  // Waits for the n-th process and until it serves and is all that lives.
  Start alone(std::size_t n) {
    until([&] { return starts().size() >= n; }, "a start");
    if (starts().size() < n) return {};
    const auto start = starts()[n - 1];
    until([&] { return supervisor_->serving() == 1; }, "a process that serves");
    until([&] { return beaten_ == std::set{start.session}; }, "a beat for one session");
    return start;
  }

  // Waits until every process of the first n has been started and has ended.
  void all_ended(std::size_t n) {
    until([&] { return starts().size() >= n && ended_.size() >= n; }, "the end of the processes");
  }
  // Kills the n-th process once it serves, and waits for the next; how long that took to start.
  Duration kill_and_wait(std::size_t n) {
    const auto killed = alone(n);
    const auto began = world_.timers->now();
    ::kill(killed.pid, SIGKILL);
    until([&] { return starts().size() > n; }, "another process");
    return world_.timers->now() - began;
  }
  static std::size_t count(const std::string& text, std::string_view part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
    return found;
  }

  SystemWorld world_;
  boost::asio::io_context& io_ = world_.io;
  const Env& env_ = world_.env;
  net::Router router_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<Supervisor> supervisor_;
  ScratchFolder folder_{"supervisor"};
  fs::path dir_ = folder_.path();
  Result<fs::path> python_;
  int asked_ = 0;  // for the Python
  Duration proven_after_ = std::chrono::hours(1);

  std::string authorization_;
  net::WebSocket* socket_ = nullptr;
  int connections_ = 0;
  bool answers_beats_ = false;
  int beats_ = 0;
  std::set<std::string> beaten_;
  std::map<std::string, std::int64_t> ended_;
};

TEST_F(SupervisorTest, SpeaksForTheLifeOfItsProcesses) {
  start(2);
  until([&] { return beaten_.size() == 2; }, "a beat for both");
  EXPECT_EQ(authorization_, "Bearer the token");
  for (const auto& start : starts()) {
    EXPECT_TRUE(beaten_.contains(start.session));
    EXPECT_EQ(start.colour, "blue");
    EXPECT_EQ(start.reload, "0");
  }
}

TEST_F(SupervisorTest, ReplacesADeadProcessBySessionsOfTheirOwn) {
  start();
  const auto first = alone(1);
  ::kill(first.pid, SIGKILL);
  until([&] { return ended_.contains(first.session); }, "the news of its end");
  EXPECT_EQ(ended_[first.session], SIGKILL);
  const auto second = alone(2);
  EXPECT_NE(second.session, first.session);
}

TEST_F(SupervisorTest, DoesNotBeatForAStoppedProcess) {
  start();
  const auto first = alone(1);
  ::kill(first.pid, SIGSTOP);
  until([&] { return beaten_.empty(); }, "a beat without it");
  ::kill(first.pid, SIGCONT);
  alone(1);
  EXPECT_EQ(starts().size(), 1u);
}

TEST_F(SupervisorTest, ReloadDrainsTheOldProcessOnceTheNewOneServes) {
  start();
  const auto first = alone(1);
  supervisor_->reload();
  const auto second = alone(2);
  EXPECT_EQ(second.reload, "1");
  EXPECT_EQ(lines("drained"), std::vector{first.session});
}

TEST_F(SupervisorTest, ABrokenChangeKeepsTheProcessThatServes) {
  start();
  const auto first = alone(1);
  std::ofstream(dir_ / "broken") << "";
  supervisor_->reload();
  until([&] { return starts().size() == 2; }, "the new process");
  until([&] { return ended_.contains(starts()[1].session); }, "its end");
  EXPECT_EQ(alone(1).session, first.session);
  EXPECT_TRUE(lines("drained").empty());

  fs::remove(dir_ / "broken");
  supervisor_->reload();
  alone(3);
  EXPECT_EQ(lines("drained"), std::vector{first.session});
}

TEST_F(SupervisorTest, AChangeLoadsWhenItBreaksNothingThatServes) {
  testing::internal::CaptureStderr();
  std::ofstream(dir_ / "broken") << "";
  start(2);
  until([&] { return supervisor_->serving() == 2; }, "both processes");
  auto said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(count(said, "the graph \"a\" cannot be imported: SyntaxError: m (a.py, line 3)"), 1u) << said;

  testing::internal::CaptureStderr();
  supervisor_->reload();
  until([&] { return lines("drained").size() == 2; }, "the end of both");
  until([&] { return supervisor_->serving() == 2; }, "the new processes");
  fs::remove(dir_ / "broken");
  supervisor_->reload();
  until([&] { return lines("drained").size() == 4; }, "the end of both");
  std::ofstream(dir_ / "broken") << "";
  supervisor_->reload();
  until([&] { return starts().size() == 8 && ended_.size() == 6; }, "the end of the refused ones");
  EXPECT_EQ(supervisor_->serving(), 2u);
  EXPECT_EQ(lines("drained").size(), 4u);
  said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(count(said, "the graph \"a\" cannot be imported"), 2u) << said;
}

TEST_F(SupervisorTest, ConnectsAgainAndTellsWhatItCouldNot) {
  start();
  const auto first = alone(1);
  const int before = connections_;
  socket_->close(1001, "going away");
  ::kill(first.pid, SIGKILL);
  until([&] { return connections_ > before && ended_.contains(first.session); },
        "the news on a new connection");
  alone(2);
}

TEST_F(SupervisorTest, StopLetsProcessesDrainAndEndsThoseThatNeverServed) {
  start();
  const auto first = alone(1);
  std::ofstream(dir_ / "hangs") << "";
  supervisor_->reload();
  until([&] { return starts().size() == 2; }, "the new process");
  bool stopped = false;
  const auto stop = [](Supervisor* supervisor, SteadyTime deadline, bool* done) -> Task<void> {
    co_await supervisor->stop(deadline);
    *done = true;
  };
  // Far beyond the guard: nothing waits for it.
  spawn(io_.get_executor(), "stop",
        stop(supervisor_.get(), world_.timers->now() + std::chrono::hours(1), &stopped));
  until([&] { return stopped; }, "the end of all processes");
  EXPECT_EQ(lines("drained"), std::vector{first.session});
  until([&] { return ended_.size() == 2; }, "the news of both");
}

TEST_F(SupervisorTest, GivesWhatDiesAgainAndAgainMoreAndMoreTime) {
  testing::internal::CaptureStderr();
  start();
  kill_and_wait(1);
  EXPECT_GE(kill_and_wait(2), std::chrono::milliseconds(500));
  EXPECT_GE(kill_and_wait(3), std::chrono::seconds(1));
  alone(4);
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(count(said, "ended by signal 9"), 3u) << said;
  for (const char* when : {" at once\n", " in 0.5 s\n", " in 1 s\n"})
    EXPECT_EQ(count(said, std::string("; starting another") + when), 1u) << said;
}

TEST_F(SupervisorTest, CountsAnewAfterAFinishedRun) {
  testing::internal::CaptureStderr();
  std::ofstream(dir_ / "finishes") << "";
  start();
  for (std::size_t n = 1; n <= 3; ++n) kill_and_wait(n);
  alone(4);
  EXPECT_EQ(count(testing::internal::GetCapturedStderr(), "starting another at once"), 3u);
}

TEST_F(SupervisorTest, CountsAnewAfterALongLife) {
  testing::internal::CaptureStderr();
  proven_after_ = Duration{};
  start();
  for (std::size_t n = 1; n <= 3; ++n) kill_and_wait(n);
  alone(4);
  EXPECT_EQ(count(testing::internal::GetCapturedStderr(), "starting another at once"), 3u);
}

TEST_F(SupervisorTest, SaysOnceWhyNoProcessCanServe) {
  const auto unusable = [&](const char* why) { std::ofstream(dir_ / "unusable") << why; };
  const auto said_until = [&](std::size_t ended) {
    all_ended(ended);
    return testing::internal::GetCapturedStderr();
  };
  testing::internal::CaptureStderr();
  unusable("no langgraph");
  start(2);
  auto said = said_until(6);
  EXPECT_EQ(count(said, (dir_ / "python").string() + ": no langgraph"), 1u) << said;
  EXPECT_EQ(count(said, "starting another"), 0u) << said;

  testing::internal::CaptureStderr();
  unusable("an old langgraph");
  // Those that start from now on read it, and each of the two is started at least once.
  said = said_until(starts().size() + 3);
  EXPECT_EQ(count(said, ": an old langgraph"), 1u) << said;

  testing::internal::CaptureStderr();
  supervisor_->reload();
  said = said_until(starts().size() + 4);
  EXPECT_EQ(count(said, ": an old langgraph"), 1u) << said;

  fs::remove(dir_ / "unusable");
  until([&] { return supervisor_->serving() == 2; }, "both processes");
  testing::internal::CaptureStderr();
  unusable("an old langgraph");
  const auto ended = ended_.size();
  for (const auto& start : starts()) ::kill(start.pid, SIGKILL);
  said = said_until(ended + 4);
  EXPECT_EQ(count(said, ": an old langgraph"), 1u) << said;
}

TEST_F(SupervisorTest, StartsOnceThereIsAPython) {
  testing::internal::CaptureStderr();
  python_ = fail(Errc::not_found, "no Python was found");
  start();
  until([&] { return asked_ == 3; }, "further tries");
  python_ = dir_ / "python";
  alone(1);
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(count(said, "no Python was found"), 1u) << said;
}

TEST_F(SupervisorTest, LooksForAnotherServerWhenItsOwnFallsSilent) {
  answers_beats_ = true;  // and then it does not, as one that was stopped
  start();
  until([&] { return connections_ > 1; }, "another connection");
  EXPECT_GE(beats_, 2);
}

}  // namespace
}  // namespace dg::cli
