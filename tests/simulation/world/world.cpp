#include "simulation/world/world.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace dg::simulation {
namespace {

// Runs of one thread that hang are ended one after the other.
constexpr auto longest_rest = std::chrono::minutes(10);
constexpr int looks_allowed = 4;
// Without a heartbeat for the lease's 10 s, or a connection for its 2 s, a run is taken away.
constexpr auto takeover = seconds(15);
// What an instance has left undone is taken up at the pace of the leader's sweeps, which follow one another
// by the server's safety net.
constexpr auto longest_sweep = seconds(20);
constexpr auto longest_news = seconds(15);  // until every instance knows what has happened

std::uint64_t mix(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

World::World(const Scenario& scenario, Bug bug, std::function<void(std::string)> tell)
    : scenario_(scenario),
      stage_(scenario.seed),
      network_(stage_),
      oracle_(stage_, disk_.tables),
      database_(stage_, disk_),
      broker_(stage_, network_),
      clients_(stage_, fleet_, oracle_, scenario.threads) {
  log::set_level(tell ? log::Level::info : log::Level::off);
  stage_.tell = std::move(tell);
  const auto slow = [this] { return stage_.now() < slow_until_; };
  disk_.read_time = [this, slow] {
    if (slow()) return stage_.disk.between(Duration(0), milliseconds(200));
    return stage_.disk.percent(70) ? Duration(0) : stage_.disk.between(Duration(10), Duration(300));
  };
  disk_.flush_time = [this, slow] {
    return slow() ? stage_.disk.between(milliseconds(20), milliseconds(900))
                  : stage_.disk.between(Duration(200), milliseconds(4));
  };
  disk_.fails = [this] { return stage_.now() < broken_until_; };
  disk_.on_durable = [this](const Commit& commit, const Committed& committed) {
    fingerprint_ = mix(fingerprint_, std::to_string(stage_.elapsed().count()));
    if (stage_.tell)
      for (const auto& change : commit.changes) {
        if (const auto* put = std::get_if<PutLease>(&change))
          stage_.trace("  durable: lease of {} epoch {} for {}", put->lease.owner, put->lease.epoch,
                       put->lease.session_id);
        if (const auto* drop = std::get_if<DropLease>(&change))
          stage_.trace("  durable: lease of {} dropped", drop->owner);
      }
    for (const auto& append : commit.appends)
      for (const auto& event : append.events) {
        fingerprint_ = mix(mix(fingerprint_, append.id), event.type);
        if (stage_.tell)
          stage_.trace("  durable: {} {} {}", event.type, append.id, event.payload.substr(0, 160));
      }
    oracle_.committed(commit, committed);
  };
  add_servers(bug);
  for (int i = 0; i < scenario.workers; ++i)
    workers_.push_back(std::make_unique<Worker>(stage_, fleet_, oracle_, i, bug));
}

void World::add_servers(Bug bug) {
  const auto seed = scenario_.seed;
  if (scenario_.instances == 1) {
    fleet_.servers.push_back(std::make_unique<Server>(Site{stage_, disk_, network_, nullptr, nullptr, bug},
                                                      Machine{"the server", seed}));
    return;
  }
  spoil(bug, database_, broker_);
  for (int i = 0; i < scenario_.instances; ++i) {
    Machine machine{std::string("server ") + static_cast<char>('a' + i),
                    seed * 8 + static_cast<std::uint64_t>(i)};
    machine.steady_ahead = stage_.instances.between(Duration(0), std::chrono::hours(1000));
    machine.wall_ahead = stage_.instances.between(-std::chrono::hours(1), std::chrono::hours(1));
    fleet_.servers.push_back(std::make_unique<Server>(
        Site{stage_, disk_, network_, &database_, &broker_, bug}, std::move(machine)));
  }
}

World::~World() {
  for (const auto& server : fleet_.servers)
    if (server->alive()) server->die(false);
}

Outcome World::run() {
  for (const auto& server : fleet_.servers) server->start();
  lives_ += fleet_.servers.size();
  for (const auto& worker : workers_) worker->start();
  auto end = Duration{};
  for (const auto& entry : scenario_.entries) {
    stage_.after(entry.at, [this, &entry] { perform(entry); });
    end = std::max(end, entry.at);
  }
  bool healed = false;
  const auto heal_at = Stage::begin + end + seconds(26);
  stage_.after(heal_at - stage_.now(), [this, &healed] {
    heal();
    healed = true;
  });
  stage_.after(seconds(1), [this] { look(); });
  while (!stage_.violation && !(healed && rests()) && stage_.now() < heal_at + longest_rest) step();
  if (!stage_.violation) oracle_.check_at_rest();
  if (!stage_.violation && fleet_.servers.size() > 1) check_sessions();
  if (!stage_.violation && !clients_.at_rest()) stage_.fail("G5", "somebody waits for a run for ever");
  return {stage_.violation, stage_.steps, fingerprint_, disk_.tables.runs().size(), lives_};
}

// The server that has resumed something that was ready; null when nobody has anything. All that is ready is
// done before time passes, by the servers in any order.
Server* World::runs_one() {
  const auto& servers = fleet_.servers;
  const auto first = servers.size() > 1 ? stage_.instances.below(servers.size()) : 0;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    auto& server = *servers[(first + i) % servers.size()];
    if (server.runs() && server.loop().run_one()) return &server;
  }
  return nullptr;
}

void World::step() {
  ++stage_.steps;
  auto* acting = runs_one();
  if (acting == nullptr) {
    auto earliest = stage_.earliest();
    for (const auto& server : fleet_.servers)
      if (server->runs() && server->loop().earliest() <= earliest) {
        earliest = server->loop().earliest();
        acting = server.get();
      }
    if (acting != nullptr) {
      acting->loop().make_first();
    } else {
      stage_.make_first();
    }
  }
  if (acting == nullptr) return;
  if (acting->broken()) {
    acting->die(false);
    return restart(*acting, seconds(1));
  }
  const auto crash = crashes_.find(acting);
  if (crash == crashes_.end() || crash->second.in-- > 0) return;
  const auto [in, lands, down] = crash->second;
  crashes_.erase(crash);
  acting->die(lands);
  restart(*acting, down);
}

void World::restart(Server& server, Duration delay) {
  stage_.disturb(delay + seconds(4) + (fleet_.servers.size() > 1 ? longest_sweep : seconds(0)));
  crashes_.erase(&server);
  stage_.after(delay, [this, &server] {
    if (server.alive()) return;
    server.start();
    ++lives_;
  });
}

void World::crash(Server& server, Dice dice) {
  if (!server.alive() || crashes_.contains(&server)) return;
  Crash crash{dice.below(80), dice.percent(50), {}};
  crash.down =
      dice.percent(70) ? dice.between(milliseconds(20), seconds(1)) : dice.between(seconds(1), seconds(15));
  crashes_[&server] = crash;
}

// What happens to one of several instances, or between them.
void World::disturb_server(Act act, Dice dice) {
  auto& server = *fleet_.servers[dice.below(fleet_.servers.size())];
  const auto time =
      dice.percent(50) ? dice.between(milliseconds(20), seconds(3)) : dice.between(seconds(3), seconds(20));
  stage_.disturb(time + seconds(15) + longest_sweep);
  switch (act) {
    case Act::replace_server:
      return server.leave(
          [this, &server, dice]() mutable { restart(server, dice.between(milliseconds(20), seconds(3))); });
    case Act::stop_server:
      server.pause();
      stage_.after(time, [&server] { server.resume(); });
      return;
    case Act::cut_database:
    case Act::restart_database: {
      auto strike = [this, act, &server, time, dice]() mutable {
        stage_.disturb(time + seconds(15) + longest_sweep);
        if (act == Act::restart_database)
          return database_.restart(dice.between(milliseconds(20), seconds(6)));
        server.cut_database(true);
        stage_.after(time, [&server] { server.cut_database(false); });
      };
      // Mostly while something is being committed, so that its answer is lost.
      if (dice.percent(30)) return strike();
      return database_.during_next_commit(std::move(strike));
    }
    case Act::cut_broker:
      server.cut_broker(true);
      stage_.after(time, [&server] { server.cut_broker(false); });
      return;
    default:
      broker_.set_away(true);
      stage_.after(time, [this] { broker_.set_away(false); });
      return;
  }
}

void World::slow_down(Dice dice) {
  const auto time = dice.between(milliseconds(500), seconds(8));
  slow_until_ = stage_.now() + time;
  stage_.disturb(time + seconds(10));
}

void World::perform(const Entry& entry) {
  stage_.trace("* {}", name_of(entry.act));
  Dice dice(entry.dice);
  auto& worker = *workers_[dice.below(workers_.size())];
  switch (entry.act) {
    case Act::crash_server:
      if (fleet_.servers.size() == 1) return crash(*fleet_.servers.front(), dice);
      return crash(*fleet_.servers[Dice(entry.dice).below(fleet_.servers.size())], dice);
    case Act::replace_server:
    case Act::stop_server:
    case Act::cut_database:
    case Act::restart_database:
    case Act::cut_broker:
    case Act::lose_broker:
      return disturb_server(entry.act, dice);
    case Act::kill_worker:
      if (dice.percent(40)) return worker.die(false);
      // What it said last may arrive when somebody else executes the run.
      return worker.after_next_word(
          [&worker] { worker.die(false); },
          dice.percent(50) ? dice.between(milliseconds(1), milliseconds(40)) : Duration{});
    case Act::kill_supervisor:
      return worker.die(true);
    case Act::orphan_worker:
      return worker.orphan();
    case Act::stop_worker:
      worker.pause();
      stage_.after(dice.between(milliseconds(500), seconds(25)), [&worker] { worker.resume(); });
      return;
    case Act::drain_worker:
      return worker.drain();
    case Act::cut_worker:
      if (fleet_.servers.size() > 1 && dice.percent(70)) {
        worker.cut_connection(true);
        // Who does not hear that it has moved may give it runs.
        if (dice.percent(50)) disturb_server(Act::cut_broker, Dice(dice.next()));
        const Entry runs{{}, Act::create_many, dice.next()};
        stage_.after(dice.between(milliseconds(300), seconds(2)), [this, runs] { clients_.perform(runs); });
        return;
      }
      if (dice.percent(40)) return worker.cut_connection();
      return worker.after_next_word([&worker] { worker.cut_connection(); });
    case Act::cut_clients:
      return clients_.cut_connections();
    case Act::stall_network: {
      const auto time = dice.between(milliseconds(200), seconds(6));
      network_.stall(time);
      return stage_.disturb(time + seconds(4));
    }
    case Act::slow_disk:
      return slow_down(dice);
    case Act::broken_disk: {
      const auto time = dice.between(milliseconds(1), seconds(3));
      broken_until_ = stage_.now() + time;
      return stage_.disturb(time + seconds(10));
    }
    default:
      return clients_.perform(entry);
  }
}

void World::heal() {
  stage_.trace("* all faults are over");
  database_.during_next_commit(nullptr);
  for (const auto& server : fleet_.servers) server->cut_database(false);
  for (const auto& worker : workers_) worker->heal();
}

// About once a second: is somebody kept waiting who need not wait?
void World::look() {
  check_dispatch();
  if (std::ranges::any_of(fleet_.servers, &Server::listens)) check_takeover();
  oracle_.check_times(StageClock(stage_).now(), stage_.now() - stage_.calm_since());
  clients_.check_waiting();
  stage_.after(seconds(1), [this] { look(); });
}

void World::check_dispatch() {
  std::map<std::string, int> overdue;
  const auto now = StageClock(stage_).now();
  for (const auto& server : fleet_.servers) {
    if (!server->listens() || !server->runs() || stage_.now() < stage_.calm_since()) continue;
    const auto graphs = server->app().workers.graphs_with_free_slots();
    for (const auto& run : read_claimable_runs(disk_.tables, graphs, now - seconds(1), 100)) {
      if (overdue.contains(run.id)) continue;
      const auto looks = overdue[run.id] = overdue_[run.id] + 1;
      if (looks > looks_allowed)
        stage_.fail(
            "G1",
            fmt::format("the run {} is due, its thread is free and a slot is free, and nobody starts it",
                        run.id));
    }
  }
  overdue_ = std::move(overdue);
}

void World::check_takeover() {
  for (const auto& [owner, lease] : disk_.tables.leases())
    for (const auto& worker : workers_) {
      const auto silent = worker->silent().find(lease.session_id);
      if (silent == worker->silent().end()) continue;
      const auto allowed = fleet_.servers.size() > 1 ? takeover + longest_sweep : takeover;
      if (stage_.now() - std::max(silent->second, stage_.calm_since()) > allowed)
        stage_.fail("G1", fmt::format("{} still owns {}, {} s after its process died or stopped",
                                      lease.session_id, owner, allowed.count()));
    }
}

bool World::at_rest() const {
  return clients_.at_rest() && disk_.tables.leases().empty() && disk_.tables.queued().empty() &&
         std::ranges::all_of(fleet_.servers, &Server::listens);
}

// Nothing is under way, and instances have had the time to hear of it.
bool World::rests() {
  if (!at_rest()) {
    rests_since_.reset();
    return false;
  }
  if (!rests_since_) rests_since_ = stage_.now();
  return fleet_.servers.size() == 1 || stage_.now() - *rests_since_ > longest_news;
}

// What instances believe of sessions is so: all slots are free, and who is gone is forgotten.
void World::check_sessions() {
  for (const auto& [id, session] : disk_.tables.sessions)
    if (std::ranges::none_of(workers_, [&](const auto& worker) { return worker->session() == id; }))
      stage_.fail("G1", fmt::format("the session {} is there, and its process is not", id));
  for (const auto& server : fleet_.servers)
    for (const auto& session : server->app().workers.sessions()) {
      if (!session->link) continue;
      if (!session->running.empty() || session->reserved != 0 || session->doubted)
        stage_.fail("G1", fmt::format("{} keeps slots of {} for nothing: {} run, {} are reserved{}",
                                      server->name(), session->id, session->running.size(), session->reserved,
                                      session->doubted ? ", and it is in doubt" : ""));
    }
}

Outcome simulate(const Scenario& scenario, Bug bug) {
  return World(scenario, bug).run();
}

Scenario shrink(const Scenario& scenario, Bug bug, const Violation& violation, int trials) {
  Scenario best = scenario;
  const auto still_fails = [&](const Scenario& candidate) {
    const auto outcome = simulate(candidate, bug);
    return outcome.violation && outcome.violation->guarantee == violation.guarantee;
  };
  for (std::size_t size = best.entries.size() / 2; size > 0; size /= 2) {
    bool smaller = true;
    while (smaller) {
      smaller = false;
      for (std::size_t at = 0; at < best.entries.size() && trials > 0;) {
        Scenario candidate = best;
        const auto first = candidate.entries.begin() + static_cast<std::ptrdiff_t>(at);
        const auto count = std::min(size, candidate.entries.size() - at);
        candidate.entries.erase(first, first + static_cast<std::ptrdiff_t>(count));
        --trials;
        if (still_fails(candidate)) {
          best = std::move(candidate);
          smaller = true;
        } else {
          at += size;
        }
      }
    }
  }
  return best;
}

std::string report(const Scenario& scenario, Bug bug, const Violation& violation) {
  const auto small = shrink(scenario, bug, violation);
  const auto again = simulate(small, bug);
  const auto line = [](const Violation& v) {
    return fmt::format("step {}, {:.6f} s: {} is broken: {}", v.step, static_cast<double>(v.at.count()) / 1e6,
                       v.guarantee, v.text);
  };
  return fmt::format("seed {}, {}\nshrunk from {} to {} entries, {}\n{}", scenario.seed, line(violation),
                     scenario.entries.size(), small.entries.size(), line(again.violation.value_or(violation)),
                     describe(small));
}

}  // namespace dg::simulation
