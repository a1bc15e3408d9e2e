#include "simulation/world/world.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace dg::simulation {
namespace {

constexpr auto longest_rest = std::chrono::minutes(6);
constexpr int looks_allowed = 4;
// Without a heartbeat for the lease's 10 s, or a connection for its 2 s, a run is taken away.
constexpr auto takeover = seconds(15);

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
      server_(stage_, disk_, network_, scenario.seed, bug),
      clients_(stage_, server_, oracle_, scenario.threads) {
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
  for (int i = 0; i < scenario.workers; ++i)
    workers_.push_back(std::make_unique<Worker>(stage_, network_, server_, oracle_, i, bug));
}

World::~World() {
  if (server_.alive()) server_.die(false);
}

Outcome World::run() {
  server_.start();
  ++lives_;
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
  while (!stage_.violation && !(healed && at_rest()) && stage_.now() < heal_at + longest_rest) step();
  if (!stage_.violation) oracle_.check_at_rest();
  if (!stage_.violation && !clients_.at_rest()) stage_.fail("G5", "somebody waits for a run for ever");
  return {stage_.violation, stage_.steps, fingerprint_, disk_.tables.runs().size(), lives_};
}

void World::step() {
  ++stage_.steps;
  auto& loop = server_.loop();
  bool of_server = server_.alive() && loop.run_one();
  if (!of_server) {
    of_server = server_.alive() && loop.earliest() <= stage_.earliest();
    if (of_server) {
      loop.make_first();
    } else {
      stage_.make_first();
    }
  }
  if (server_.broken()) {
    server_.die(false);
    return restart(seconds(1));
  }
  if (of_server && crash_in_ && (*crash_in_)-- == 0) {
    crash_in_.reset();
    server_.die(crash_lands_);
    restart(down_for_);
  }
}

void World::restart(Duration delay) {
  stage_.disturb(delay + seconds(4));
  stage_.after(delay, [this] {
    if (server_.alive()) return;
    server_.start();
    ++lives_;
  });
}

void World::crash(Dice dice) {
  if (!server_.alive() || crash_in_) return;
  crash_in_ = dice.below(80);
  crash_lands_ = dice.percent(50);
  down_for_ =
      dice.percent(70) ? dice.between(milliseconds(20), seconds(1)) : dice.between(seconds(1), seconds(15));
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
      return crash(dice);
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
  for (const auto& worker : workers_) worker->heal();
}

// About once a second: is somebody kept waiting who need not wait?
void World::look() {
  if (server_.listens()) {
    check_dispatch();
    check_takeover();
  }
  clients_.check_waiting();
  stage_.after(seconds(1), [this] { look(); });
}

void World::check_dispatch() {
  std::map<std::string, int> overdue;
  std::vector<std::string> graphs = server_.app().workers.graphs_with_free_slots();
  const auto now = StageClock(stage_).now();
  if (stage_.now() >= stage_.calm_since())
    for (const auto& run : read_claimable_runs(disk_.tables, graphs, now - seconds(1), 100)) {
      const auto looks = overdue[run.id] = overdue_[run.id] + 1;
      if (looks > looks_allowed)
        stage_.fail(
            "G1",
            fmt::format("the run {} is due, its thread is free and a slot is free, and nobody starts it",
                        run.id));
    }
  overdue_ = std::move(overdue);
}

void World::check_takeover() {
  for (const auto& [owner, lease] : disk_.tables.leases())
    for (const auto& worker : workers_) {
      const auto silent = worker->silent().find(lease.session_id);
      if (silent == worker->silent().end()) continue;
      if (stage_.now() - std::max(silent->second, stage_.calm_since()) > takeover)
        stage_.fail("G1", fmt::format("{} still owns {}, {} s after its process died or stopped",
                                      lease.session_id, owner, takeover.count()));
    }
}

bool World::at_rest() const {
  return clients_.at_rest() && disk_.tables.leases().empty() && disk_.tables.queued().empty() &&
         server_.listens();
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
