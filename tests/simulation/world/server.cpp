#include "simulation/world/server.hpp"

#include "base/log.hpp"

namespace dg::simulation {
namespace {

std::uint16_t close_code(Errc code) {
  return code == Errc::forbidden ? 4403 : code == Errc::superseded ? 4409 : 1001;
}

app::Settings settings() {
  app::Settings out;
  // A wake-up that was lost must be seen to be lost.
  out.safety_net = seconds(60);
  return out;
}

class Link final : public app::WorkerLink {
 public:
  Link(std::shared_ptr<Wire> wire, WorkerPeer& peer) : wire_(std::move(wire)), peer_(peer) {}
  void send(app::ToWorker message) override {
    wire_->to_peer(
        [wire = wire_, &peer = peer_, message = std::move(message)] { peer.receive(wire, message); });
  }
  void close(std::uint16_t code, std::string) override { wire_->close_from_server(code); }

 private:
  std::shared_ptr<Wire> wire_;
  WorkerPeer& peer_;
};

}  // namespace

// What one process has, in the order of its making.
struct Server::Life {
  Life(Server& server, std::uint64_t seed)
      : clock(server.stage_),
        random(seed),
        timers(make_timers(server.bug_, server.loop_, seed)),
        env{clock, random, *timers},
        store(make_store(server.bug_, env, server.disk_)),
        bus(make_bus(server.bug_, seed)),
        app(std::make_unique<app::App>(app::Context{env, *store, *bus, settings(), "instance", "simulated"},
                                       metrics)) {}

  StageClock clock;
  SeededRandom random;
  std::unique_ptr<Timers> timers;
  Env env;
  std::unique_ptr<SimulatedStore> store;
  std::unique_ptr<bus::Bus> bus;
  Metrics metrics;
  std::unique_ptr<app::App> app;
};

Server::Server(Stage& stage, Disk& disk, Network& network, std::uint64_t seed, Bug bug)
    : stage_(stage), disk_(disk), network_(network), seed_(seed), bug_(bug), loop_(stage) {}

Server::~Server() {
  if (life_) die(false);
}

app::App& Server::app() {
  return *life_->app;
}

void Server::start() {
  life_ = std::make_unique<Life>(*this, seed_ * 1000 + ++lives_);
  stage_.trace("server starts");
  spawn(loop_.executor(), "boot", boot());
}

Task<void> Server::boot() {
  auto& app = *life_->app;
  bool started = (co_await app.start()).has_value();
  for (const std::string graph : {"agent", "planner"}) {
    started = started && (co_await app.workers.declare_graph(graph, "")).has_value();
    started = started && (co_await app.assistants.declare(graph, "", "{}", "{}")).has_value();
  }
  if (!started) {
    broken_ = true;
    co_return;
  }
  listens_ = true;
  stage_.disturb(seconds(3));  // workers come back within their backoff
  stage_.trace("server listens");
}

void Server::die(bool landed) {
  stage_.trace("server dies, the flush under way has {}", landed ? "landed" : "not landed");
  listens_ = broken_ = false;
  for (const auto& [number, wire] : std::exchange(wires_, {})) {
    wire->on_server_closed = nullptr;
    wire->server_gone();
  }
  links_.clear();
  // The store first: what it holds for its callers goes with the loop.
  life_->store->die(landed);
  life_->app.reset();
  loop_.abandon();
  life_.reset();
}

std::shared_ptr<Wire> Server::connect() {
  if (!listens_) return nullptr;
  auto wire = std::make_shared<Wire>(stage_, network_, ++last_wire_);
  wires_[wire->number] = wire;
  wire->on_server_closed = [this, number = wire->number](bool) { wires_.erase(number); };
  return wire;
}

void Server::run(std::string_view name, Task<void> task) {
  spawn(loop_.executor(), name, std::move(task));
}

void Server::serve(std::shared_ptr<Wire> wire, WorkerPeer& peer, app::Hello hello) {
  run("worker", serve_worker(std::move(wire), peer, std::move(hello)));
}

void Server::hear(const std::shared_ptr<Wire>& wire, app::OwnerMessage message) {
  if (const auto link = links_.find(wire->number); link != links_.end())
    app().owners.receive(heard(bug_, disk_.tables, std::move(message)), link->second);
}

Task<void> Server::serve_worker(std::shared_ptr<Wire> wire, WorkerPeer& peer, app::Hello hello) {
  const auto session = hello.session;
  const auto link = std::make_shared<Link>(wire, peer);
  auto welcome = co_await app().workers.hello(std::move(hello), link);
  if (!welcome) {
    wire->close_from_server(close_code(welcome.error().code));
    co_return;
  }
  wire->to_peer([wire, &peer, said = *welcome] { peer.welcomed(wire, said); });
  for (const auto& offer : welcome->offers) link->send(offer);
  links_[wire->number] = link;
  // The wire owns this, so it must not own the wire.
  const auto closed = [this, session, link = link.get(), number = wire->number](bool clean) {
    app().owners.disconnected(link);
    app().workers.disconnected(session, link, clean);
    wires_.erase(number);
    links_.erase(number);
  };
  if (wire->server_was_told()) {
    closed(false);
  } else {
    wire->on_server_closed = closed;
  }
}

}  // namespace dg::simulation
