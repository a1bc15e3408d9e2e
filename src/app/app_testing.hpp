// The use cases over a store in memory and virtual time, and workers that say what a test has them say.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "app/app.hpp"
#include "base/log.hpp"
#include "base/virtual_time.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace dg::app::testing {

// A bus within the process that can be made to lose wake-ups.
class LossyBus final : public bus::Bus {
 public:
  explicit LossyBus(const bool& losing) : losing_(losing) {}
  void publish(bus::Topic topic, const std::string& id) override {
    if (!losing_) inner_->publish(topic, id);
  }
  void send(bus::Topic topic, const std::string& id, std::string body) override {
    if (!losing_) inner_->send(topic, id, std::move(body));
  }
  bool reaches_others() const override { return inner_->reaches_others(); }
  bus::Subscription subscribe(bus::Topic topic, std::string id, Listener listener) override {
    return inner_->subscribe(topic, std::move(id), std::move(listener));
  }

 private:
  const bool& losing_;
  std::unique_ptr<bus::Bus> inner_ = bus::make_local_bus();
};

// Opens a store whose calls are done when they return, so that no time has to pass for them.
using OpenStore = std::function<std::unique_ptr<store::Store>(Env env)>;

inline OpenStore on_sqlite(store::SqliteOptions database) {
  database.inline_mode = true;
  return [database](Env env) {
    auto opened = store::open_sqlite(env, database);
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  };
}

using OpenBus = std::function<std::unique_ptr<bus::Bus>()>;

// Keeps the spans of sampled traces.
class RecordingTracer final : public Tracer {
 public:
  bool samples(const std::optional<TraceContext>& parent, const TraceId&) const override {
    return !parent || parent->sampled;
  }
  void record(Span span) override { spans.push_back(std::move(span)); }

  std::vector<Span> spans;
};

// A server that knows the graphs "agent" and "planner".
class TestServer {
 public:
  explicit TestServer(Settings chosen = {}, const OpenStore& open_store = on_sqlite({.path = ":memory:"}))
      : TestServer(std::make_shared<VirtualWorld>(), chosen, open_store, "instance",
                   [this] { return std::make_unique<LossyBus>(lose_wakeups); }) {}
  // One of several instances that share a world, and a database. They end together, by kill_all().
  TestServer(std::shared_ptr<VirtualWorld> shared, Settings chosen, const OpenStore& open_store,
             std::string id, OpenBus open_bus)
      : world_(std::move(shared)),
        world(*world_),
        id_(std::move(id)),
        settings_(chosen),
        open_bus_(std::move(open_bus)) {
    log::set_level(log::Level::error);  // lost workers are what many tests are about
    store_ = open_store(world.env);
    start();
    for (const std::string graph : {"agent", "planner"}) {
      must(wait(app().workers.declare_graph(graph, "")));
      must(wait(app().assistants.declare(graph, "", "{}", "{}")));
    }
  }
  ~TestServer() {
    if (!app_) return;
    world.timers.run_for(std::chrono::minutes(1));  // waits that have an end reach it
    kill();
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  App& app() { return *app_; }
  store::Store& store() { return *store_; }
  Metrics& metrics() { return *metrics_; }

  // What a process leaves behind that dies: the store.
  void kill() {
    TestServer* self = this;
    kill_all({&self, 1});
  }
  static void kill_all(std::span<TestServer* const> servers) {
    for (auto* server : servers) {
      server->app_.reset();
      server->metrics_.reset();
      server->bus_.reset();
    }
    servers.front()->world.timers.abandon();
  }
  void start() {
    bus_ = open_bus_();
    metrics_ = std::make_unique<Metrics>();
    app_ =
        std::make_unique<App>(Context{world.env, *store_, *bus_, settings_, id_, "test", &tracer}, *metrics_);
    must(wait(app_->start()));
  }

  template <class T>
  T wait(Task<T> task) {
    return world.wait(std::move(task));
  }
  // The value of a task that must not fail.
  template <class T>
  T get(Task<Result<T>> task) {
    auto result = wait(std::move(task));
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }
  void settle() { world.timers.run_ready(); }
  void pass(Duration time) { world.timers.run_for(time); }

  std::string make_thread() {
    return get(app().threads.create(the_server, std::nullopt, "{}", false)).thread.id;
  }
  // A run of "agent" as most tests want it; without a thread id, on a thread of its own.
  static RunOrder order(std::optional<std::string> thread_id = std::nullopt) {
    RunOrder out;
    out.assistant = "agent";
    out.thread_id = std::move(thread_id);
    return out;
  }
  domain::Run create(RunOrder order) { return get(app().runs.create(the_server, std::move(order))); }
  domain::Run create(std::optional<std::string> thread_id = std::nullopt) {
    return create(order(std::move(thread_id)));
  }
  // The run as it is now.
  domain::Run now(const domain::Run& run) { return get(app().runs.get(the_server, run.id)); }
  bool exists(const domain::Run& run) { return get(store().run(run.id)).has_value(); }
  domain::ThreadStatus status(const std::string& thread_id) {
    return get(app().threads.get(the_server, thread_id)).status;
  }
  // The frames that are stored, as "event data".
  std::vector<std::string> frames(const domain::Run& run) {
    std::vector<std::string> out;
    for (const auto& frame : get(store().frames(run.id, 0, 1 << 20)).frames)
      out.push_back(frame.event + " " + frame.data);
    return out;
  }
  std::vector<std::string> events(const domain::Run& run) {
    std::vector<std::string> out;
    for (const auto& event : get(store().events(run.id))) out.push_back(event.type);
    return out;
  }

 private:
  std::shared_ptr<VirtualWorld> world_;

 public:
  VirtualWorld& world;
  RecordingTracer tracer;
  bool lose_wakeups = false;

 private:
  static void must(const Status& status) {
    if (!status) throw std::runtime_error(status.error().message);
  }

  std::string id_;
  Settings settings_;
  OpenBus open_bus_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<bus::Bus> bus_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<App> app_;
};

// A connection that keeps what was sent on it.
class RecordingLink final : public WorkerLink {
 public:
  void send(ToWorker message) override { sent.push_back(std::move(message)); }
  void close(std::uint16_t code, std::string reason) override { closed = {code, std::move(reason)}; }

  std::vector<ToWorker> sent;
  std::optional<std::pair<std::uint16_t, std::string>> closed;
};

struct WorkerTraits {
  std::string name = "worker";
  std::int64_t slots = 1;
  std::vector<RegisteredGraph> graphs{{"agent", "", "null"}, {"planner", "", "null"}};
};

// A worker with a heartbeat. It is connected from the start.
class TestWorker {
 public:
  explicit TestWorker(TestServer& server, WorkerTraits traits = {})
      : server_(&server), traits_(std::move(traits)), session_(make_uuid7(server.world.env)) {
    const auto welcome = connect();
    if (!welcome) throw std::runtime_error(welcome.error().message);
  }
  ~TestWorker() { fall_silent(); }
  TestWorker(const TestWorker&) = delete;
  TestWorker& operator=(const TestWorker&) = delete;

  const std::string& session() const { return session_; }
  // Its next connection is to another instance.
  void turn_to(TestServer& server) { server_ = &server; }
  const RecordingLink& link() const { return *link_; }
  std::shared_ptr<RecordingLink> shared_link() const { return link_; }

  // Connects, or comes back; what the server offers is on the link then.
  Result<Workers::Welcome> connect(std::vector<OwnedSaid> owned = {}) {
    Hello hello;
    hello.session = session_;
    hello.secret = secret;
    hello.worker = R"({"name":")" + traits_.name + R"("})";
    hello.name = traits_.name;
    hello.revision = "git:1";
    hello.slots = traits_.slots;
    hello.graphs = traits_.graphs;
    hello.owned = std::move(owned);
    link_ = std::make_shared<RecordingLink>();
    auto welcome = server_->wait(server_->app().workers.hello(std::move(hello), link_));
    if (welcome)
      for (const auto& offer : welcome->offers) link_->send(offer);
    server_->settle();
    fall_silent();
    beat();
    return welcome;
  }
  void disconnect(bool clean = false) {
    server_->app().owners.disconnected(link_.get());
    server_->app().workers.disconnected(session_, link_.get(), clean);
    server_->settle();
  }
  // Stops the heartbeat, as a process that was stopped does.
  void fall_silent() { server_->world.timers.cancel(heartbeat_); }
  // Its supervisor saw the process end.
  void die() {
    fall_silent();
    server_->app().workers.ended(session_, "its process ended");
    server_->settle();
  }

  // What it was sent of one kind, oldest first.
  template <class T>
  std::vector<T> got() const {
    std::vector<T> out;
    for (const auto& message : link_->sent)
      if (const auto* found = std::get_if<T>(&message)) out.push_back(*found);
    return out;
  }
  // The run of its newest lease.
  domain::Run leased() const {
    const auto offers = got<LeaseOffer>();
    if (offers.empty()) throw std::runtime_error("the worker was given no run");
    return offers.back().run;
  }
  bool idle() const { return got<LeaseOffer>().empty(); }

  // Says a numbered message, without letting the server take it up yet.
  template <class Body>
  void post(const domain::Run& run, std::int64_t n, Body body) {
    OwnerMessage message;
    message.owner = run.id;
    message.epoch = run.epoch;
    message.n = n;
    message.body = std::move(body);
    server_->app().owners.receive(std::move(message), link_);
  }
  template <class Body>
  void say(const domain::Run& run, std::int64_t n, Body body) {
    post(run, n, std::move(body));
    server_->settle();
  }
  void complete(const domain::Run& run, std::int64_t n, Outcome outcome = Outcome::success) {
    const bool failed = outcome == Outcome::error;
    say(run, n, CompleteSaid{outcome, failed ? domain::RunError{"ValueError", "no"} : domain::RunError{}});
  }

  static constexpr const char* secret = "0123456789abcdef0123456789abcdef";

 private:
  void beat() {
    server_->app().workers.beat(session_);
    const auto next = server_->world.timers.now() + std::chrono::seconds(2);
    heartbeat_ = server_->world.timers.call_at(next, [this] { beat(); });
  }

  TestServer* server_;
  WorkerTraits traits_;
  std::string session_;
  std::shared_ptr<RecordingLink> link_;
  Timers::Id heartbeat_ = 0;
};

inline FramesSaid frames_of(std::vector<store::Frame> frames) {
  return {std::move(frames)};
}
inline FramesSaid values(std::string json) {
  return frames_of({{"values", std::move(json)}});
}

// A root checkpoint whose state is `values`, with tasks still to do where `tasks` names them.
inline CheckpointSaid checkpoint(std::string id, const std::string& values, const std::string& tasks = "[]",
                                 const std::string& next = "[]") {
  CheckpointSaid said;
  said.checkpoint.key.checkpoint_id = std::move(id);
  said.checkpoint.checkpoint = {"msgpack", "blob"};
  said.checkpoint.projection = R"({"values":)" + values + R"(,"next":)" + next + R"(,"tasks":)" + tasks + "}";
  return said;
}

class AppTest : public ::testing::Test {
 protected:
  using State = domain::RunState;
  using Texts = std::vector<std::string>;
  explicit AppTest(Settings settings = {}) : server_(settings) {}

  TestServer server_;
};

}  // namespace dg::app::testing
