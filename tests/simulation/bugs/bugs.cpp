#include "simulation/bugs/bugs.hpp"

#include <boost/asio/post.hpp>
#include <map>

#include "simulation/bugs/buggy_store.hpp"
#include "simulation/store/database.hpp"
#include "simulation/world/broker.hpp"
#include "simulation/world/stage.hpp"
#include "store/frame_codec.hpp"

namespace dg::simulation {
namespace {

// Loses every so-many-th wake-up of one topic.
class ForgetfulBus final : public bus::Bus {
 public:
  ForgetfulBus(std::unique_ptr<bus::Bus> inner, bus::Topic topic, std::uint64_t seed)
      : inner_(std::move(inner)), topic_(topic), dice_(seed) {}
  void publish(bus::Topic topic, const std::string& id) override {
    if (topic == topic_ && dice_.percent(20)) return;
    inner_->publish(topic, id);
  }
  void send(bus::Topic topic, const std::string& id, std::string body) override {
    inner_->send(topic, id, std::move(body));
  }
  bool reaches_others() const override { return inner_->reaches_others(); }
  bus::Subscription subscribe(bus::Topic topic, std::string id, Listener listener) override {
    return inner_->subscribe(topic, std::move(id), std::move(listener));
  }

 private:
  std::unique_ptr<bus::Bus> inner_;
  bus::Topic topic_;
  Dice dice_;
};

// Hands frames of another instance over as if they followed those before them.
class CarelessBus final : public bus::Bus {
 public:
  explicit CarelessBus(std::unique_ptr<bus::Bus> inner) : inner_(std::move(inner)) {}
  void publish(bus::Topic topic, const std::string& id) override { inner_->publish(topic, id); }
  void send(bus::Topic topic, const std::string& id, std::string body) override {
    inner_->send(topic, id, std::move(body));
  }
  bool reaches_others() const override { return inner_->reaches_others(); }
  bus::Subscription subscribe(bus::Topic topic, std::string id, Listener listener) override {
    if (topic == bus::Topic::run)
      listener = [hear = std::move(listener), next = std::int64_t{-1}](const std::string& run,
                                                                       const std::string& body) mutable {
        hear(run, body.empty() ? body : renumbered(body, next));
      };
    return inner_->subscribe(topic, std::move(id), std::move(listener));
  }

 private:
  static std::string renumbered(const std::string& body, std::int64_t& next) {
    const auto space = body.find(' ');
    if (next < 0) next = std::stoll(body);
    auto out = std::to_string(next) + body.substr(space);
    store::FrameReader reader(std::string_view(body).substr(space + 1));
    for (store::FrameView view; reader.next(view);) ++next;
    return out;
  }

  std::unique_ptr<bus::Bus> inner_;
};

class ForgetfulTimers final : public Timers {
 public:
  ForgetfulTimers(Timers& inner, std::uint64_t seed) : inner_(inner), dice_(seed) {}
  SteadyTime now() const override { return inner_.now(); }
  // Only long waits are forgotten: the disk of the simulation waits by the same timers.
  Id call_at(SteadyTime when, std::function<void()> fn) override {
    if (when - now() > seconds(4) && dice_.percent(30)) fn = [] {};
    return inner_.call_at(when, std::move(fn));
  }
  void cancel(Id id) override { inner_.cancel(id); }
  Executor executor() const override { return inner_.executor(); }

 private:
  Timers& inner_;
  Dice dice_;
};

// The timers as they are.
class SameTimers final : public Timers {
 public:
  explicit SameTimers(Timers& inner) : inner_(inner) {}
  SteadyTime now() const override { return inner_.now(); }
  Id call_at(SteadyTime when, std::function<void()> fn) override {
    return inner_.call_at(when, std::move(fn));
  }
  void cancel(Id id) override { inner_.cancel(id); }
  Executor executor() const override { return inner_.executor(); }

 private:
  Timers& inner_;
};

}  // namespace

const std::vector<PlantedBug>& planted_bugs() {
  static const std::vector<PlantedBug> bugs{
      {Bug::epochs_not_checked, "epochs are not checked", 1000},
      {Bug::numbers_not_checked, "numbers are not checked", 1000},
      {Bug::answers_before_flush, "commits are answered before the flush", 1000},
      {Bug::frames_before_commit, "frames are shown before their commit", 1000},
      {Bug::commits_in_halves, "a commit is two transactions", 1000},
      {Bug::lease_left_behind, "the end of a run leaves its lease", 1000},
      {Bug::versions_not_checked, "versions are not checked", 1000},
      {Bug::two_owners, "a thread has two owners", 1000},
      {Bug::reads_lag, "reads miss what was answered", 1000},
      {Bug::cancel_lost, "a cancel is answered and not written", 1000},
      {Bug::runs_without_end, "runs have no end", 1000},
      {Bug::runs_ended_early, "runs are ended early", 1000},
      {Bug::reader_forgotten, "wake-ups of readers are lost", 1000},
      {Bug::dispatcher_forgotten, "wake-ups of the dispatcher are lost", 1000},
      {Bug::timer_forgotten, "timers do not ring", 2000},
      {Bug::stopped_worker_beats, "a stopped worker beats", 1000},
      {Bug::numbers_repeated, "a worker repeats numbers", 1000},
      {Bug::step_repeated, "a worker repeats steps", 1000},
      {Bug::connection_not_checked, "connections of sessions are not checked", 5000},
      {Bug::fence_ignored, "fences are ignored", 1000},
      {Bug::heads_not_locked, "heads are not locked", 1000},
      {Bug::outcome_forgotten, "outcomes are forgotten", 1000},
      {Bug::claims_kept, "claims are kept", 1000},
      {Bug::own_clocks, "instances have clocks of their own", 1000},
      {Bug::frames_without_numbers, "numbers of frames are not looked at", 1000},
      {Bug::nobody_catches_up, "nobody catches up with the bus", 1000},
  };
  return bugs;
}

// It names the epoch of the owner that there is, so that no comparison tells the two apart.
app::OwnerMessage heard(Bug bug, const Tables& tables, app::OwnerMessage message) {
  if (bug != Bug::epochs_not_checked) return message;
  if (const auto lease = tables.leases().find(message.owner); lease != tables.leases().end())
    message.epoch = lease->second.epoch;
  return message;
}

void spoil(Bug bug, Database& database, Broker& broker) {
  database.forgets = bug == Bug::outcome_forgotten;
  database.keeps_claims = bug == Bug::claims_kept;
  broker.wakes = bug != Bug::nobody_catches_up;
}

std::unique_ptr<SimulatedStore> make_store(Bug bug, Env env, Disk& disk, DatabaseLink* link) {
  return is_of_store(bug) ? std::make_unique<BuggyStore>(env, disk, link, bug)
                          : std::make_unique<SimulatedStore>(env, disk, link);
}

std::unique_ptr<bus::Bus> make_bus(Bug bug, std::uint64_t seed, std::unique_ptr<bus::Bus> bus) {
  const auto forgetful = [&](bus::Topic topic) {
    return std::make_unique<ForgetfulBus>(std::move(bus), topic, seed);
  };
  if (bug == Bug::reader_forgotten) return forgetful(bus::Topic::run);
  if (bug == Bug::dispatcher_forgotten) return forgetful(bus::Topic::queue);
  if (bug == Bug::frames_without_numbers) return std::make_unique<CarelessBus>(std::move(bus));
  return bus;
}

std::unique_ptr<Timers> make_timers(Bug bug, Timers& timers, std::uint64_t seed) {
  if (bug == Bug::timer_forgotten) return std::make_unique<ForgetfulTimers>(timers, seed);
  return std::make_unique<SameTimers>(timers);
}

}  // namespace dg::simulation
