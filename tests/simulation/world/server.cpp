#include "simulation/world/server.hpp"

#include <boost/asio/post.hpp>

#include "base/followed_clock.hpp"
#include "base/log.hpp"

namespace dg::simulation {
namespace {

constexpr Duration look_again = seconds(1);  // at a database that cannot be used

std::uint16_t close_code(Errc code) {
  return code == Errc::forbidden ? 4403 : code == Errc::superseded ? 4409 : 1001;
}

app::Settings settings(bool alone, Bug bug) {
  app::Settings out;
  out.run_timeout = time_of_runs;
  if (bug == Bug::runs_without_end) out.run_timeout = std::chrono::hours(1);
  if (bug == Bug::runs_ended_early) out.run_timeout = time_of_runs / 2;
  // A wake-up that was lost must be seen to be lost. What an instance leaves undone waits for as long, so
  // there it is no longer than it must be for that.
  out.safety_net = alone ? seconds(60) : seconds(15);
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

void Wire::deliver(std::function<void()> fn) {
  server_.deliver([self = shared_from_this(), fn = std::move(fn)] { fn(); });
}

// What one process has, in the order of its making.
struct Server::Life {
  Life(Server& server, std::uint64_t seed, std::string made_id)
      : id(std::move(made_id)),
        own_clock(server.site_.stage, server.machine_.wall_ahead),
        random(seed),
        timers(make_timers(server.site_.bug, server.loop_, seed)),
        clock(own_clock, *timers),
        env{clock, random, *timers},
        link(server.site_.database ? std::make_unique<DatabaseLink>(*server.site_.database, *timers)
                                   : nullptr),
        store(make_store(server.site_.bug, env, server.site_.disk, link.get())) {
    auto joined = server.site_.broker ? server.site_.broker->join(*timers) : nullptr;
    member = joined.get();
    bus = make_bus(server.site_.bug, seed, joined ? std::move(joined) : bus::make_local_bus());
    if (link) link->cut(server.database_cut_);
    if (member != nullptr) member->cut(server.broker_cut_);
    app = std::make_unique<app::App>(
        app::Context{env, *store, *bus, settings(member == nullptr, server.site_.bug), id, "simulated"},
        metrics);
  }

  std::string id;
  StageClock own_clock;
  SeededRandom random;
  std::unique_ptr<Timers> timers;
  FollowedClock clock;
  Env env;
  std::unique_ptr<DatabaseLink> link;
  std::unique_ptr<SimulatedStore> store;
  Broker::Member* member = nullptr;  // the bus, or inside of it
  std::unique_ptr<bus::Bus> bus;
  Metrics metrics;
  std::unique_ptr<app::App> app;
};

Server::Server(const Site& site, Machine machine)
    : site_(site), machine_(std::move(machine)), loop_(site.stage, machine_.steady_ahead) {}

Server::~Server() {
  if (life_) die(false);
}

app::App& Server::app() {
  return *life_->app;
}

// --- the process --------------------------------------------------------------------------------

void Server::start() {
  const auto number = ++lives_;
  auto id = site_.database ? fmt::format("{}-{}", machine_.name, number) : "instance";
  life_ = std::make_unique<Life>(*this, machine_.seed * 1000 + number, std::move(id));
  site_.stage.trace("{} starts", machine_.name);
  spawn(loop_.executor(), "boot", boot());
}

Task<void> Server::boot() {
  if (life_->link) spawn(loop_.executor(), "locks", keep_locks(co_await take_locks()));
  while (true) {
    const auto started = co_await life_->app->start();
    if (started) break;
    if (!life_->link) {
      broken_ = true;
      co_return;
    }
    co_await sleep_for(*life_->timers, look_again);
  }
  while (!co_await declare()) {
    if (!life_->link) {
      broken_ = true;
      co_return;
    }
    co_await sleep_for(*life_->timers, look_again);
  }
  listens_ = true;
  site_.stage.disturb(seconds(3));  // workers come back within their backoff
  site_.stage.trace("{} listens", machine_.name);
}

Task<Status> Server::declare() {
  auto& app = *life_->app;
  for (const std::string graph : {"agent", "planner"}) {
    if (auto done = co_await app.workers.declare_graph(graph, ""); !done) co_return done;
    if (auto done = co_await app.assistants.declare(graph, "", "{}", "{}"); !done)
      co_return fail(done.error());
  }
  co_return Status{};
}

Task<std::shared_ptr<LockSession>> Server::take_locks() {
  while (true) {
    const auto asked = life_->timers->now();
    if (auto session = co_await life_->link->open_locks(life_->id)) {
      hear_time(*session, asked);
      co_return session;
    }
    co_await sleep_for(*life_->timers, look_again);
  }
}

void Server::hear_time(const LockSession& session, SteadyTime asked) {
  if (site_.bug != Bug::own_clocks) life_->clock.hear(session.time, asked);
}

Task<void> Server::keep_locks(std::shared_ptr<LockSession> session) {
  auto& leadership = life_->app->leadership;
  while (true) {
    const auto asked = life_->timers->now();
    const bool kept = co_await life_->link->keep_locks(session);
    if (kept) hear_time(*session, asked);
    if (kept && session->leads && !leadership.leads()) site_.stage.trace("{} leads", machine_.name);
    leadership.set(kept && session->leads);
    if (!kept) session = co_await take_locks();
    co_await sleep_for(*life_->timers, look_again);
  }
}

void Server::die(bool landed) {
  site_.stage.trace("{} dies, the flush under way has {}", machine_.name, landed ? "landed" : "not landed");
  listens_ = broken_ = paused_ = false;
  held_back_.clear();
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

void Server::leave(std::function<void()> gone) {
  if (!listens_) return;
  site_.stage.trace("{} is told to end", machine_.name);
  listens_ = false;
  for (const auto& [number, link] : links_) link->close(1001, "this instance is stopping");
  constexpr int looks = 100;
  end_when_written(lives_, std::move(gone), looks);
}

void Server::end_when_written(std::uint64_t life, std::function<void()> gone, int looks) {
  site_.stage.after(milliseconds(100), [this, life, gone = std::move(gone), looks]() mutable {
    if (!life_ || life != lives_) return;
    const bool idle = links_.empty() && life_->store->load().queued_commits == 0;
    if (!idle && looks > 0) return end_when_written(life, std::move(gone), looks - 1);
    die(true);
    gone();
  });
}

void Server::pause() {
  if (!runs()) return;
  site_.stage.trace("{} is stopped", machine_.name);
  paused_ = true;
  ++pauses_;
  for (const auto& [number, wire] : wires_)
    lose_patience(wire, site_.stage.instances.between(seconds(6), seconds(8)));
}

// The other end hears nothing from a process that is stopped.
void Server::lose_patience(const std::shared_ptr<Wire>& wire, Duration patience) {
  site_.stage.after(patience, [this, wire, pause = pauses_] {
    if (paused_ && pause == pauses_) wire->give_up();
  });
}

void Server::resume() {
  if (!paused_) return;
  site_.stage.trace("{} continues", machine_.name);
  paused_ = false;
  const bool timers_first = site_.stage.instances.percent(50);
  while (timers_first && loop_.earliest() <= site_.stage.now()) loop_.make_first();
  for (auto& fn : std::exchange(held_back_, {})) boost::asio::post(loop_.executor(), std::move(fn));
}

void Server::deliver(std::function<void()> fn) {
  if (paused_) {
    held_back_.push_back(std::move(fn));
  } else {
    fn();
  }
}

void Server::cut_database(bool is_cut) {
  database_cut_ = is_cut;
  if (life_ && life_->link) life_->link->cut(is_cut);
}

void Server::cut_broker(bool is_cut) {
  broker_cut_ = is_cut;
  if (life_ && life_->member) life_->member->cut(is_cut);
}

// --- its connections ----------------------------------------------------------------------------

std::shared_ptr<Wire> Server::connect() {
  if (!listens_) return nullptr;
  auto wire = std::make_shared<Wire>(site_.stage, site_.network, *this, site_.network.next_number());
  wires_[wire->number] = wire;
  wire->on_server_closed = [this, number = wire->number](bool) { wires_.erase(number); };
  if (paused_) lose_patience(wire, seconds(5));
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
    app().owners.receive(heard(site_.bug, site_.disk.tables, std::move(message)), link->second);
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
  // It is ending, and has sent away those that were there.
  if (!listens_) link->close(1001, "this instance is stopping");
}

}  // namespace dg::simulation
