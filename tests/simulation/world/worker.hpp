// A worker process with its supervisor. It executes small graphs step by step, numbers what it says, keeps
// it until it is acknowledged, and comes back after a lost connection, as the Python host does.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simulation/oracle/oracle.hpp"
#include "simulation/world/fleet.hpp"

namespace dg::simulation {

// What a graph does for a run, as the run's input says it.
struct GraphPlan {
  std::int64_t steps = 1;
  std::int64_t pause_at = 0;  // asks a person before that step; 0: never
  std::int64_t fail_at = 0;
  std::int64_t hang_at = 0;  // that step never ends
  Duration step_time{};
  bool stubborn = false;  // does not stop when it is told to

  std::string to_json() const;
  static GraphPlan from_json(const std::string& json);
};

class Worker final : public WorkerPeer {
 public:
  using Tuple = Result<std::optional<store::CheckpointTuple>>;

  Worker(Stage& stage, Fleet& fleet, Oracle& oracle, int number, Bug bug);

  // The supervisor starts the process.
  void start();
  // The process dies; its supervisor, unless it dies too, says so and starts another.
  void die(bool with_supervisor);
  void pause();
  void resume();
  // Takes nothing new, gives up what it has, and ends.
  void drain();
  void orphan();
  void cut_connection(bool silently = false);
  // Something happens to it right after it says something next, while that is on its way, which takes so much
  // longer than it would.
  void after_next_word(std::function<void()> fn, Duration late = {}) {
    after_next_word_ = std::move(fn);
    next_word_late_ = late;
  }
  // All faults are over: it runs, and has a supervisor.
  void heal();

  const std::string& session() const { return session_; }
  // Sessions of processes that cannot act, and since when.
  const std::map<std::string, SteadyTime>& silent() const { return silent_; }

  void welcomed(const std::shared_ptr<Wire>& wire, app::Workers::Welcome welcome) override;
  void receive(const std::shared_ptr<Wire>& wire, app::ToWorker message) override;

 private:
  struct Execution {
    OwnerKey key;
    std::string thread_id;
    domain::Run run;
    GraphPlan plan;
    bool is_operation = false;
    std::int64_t request = 0;  // of the server, that an operation answers
    std::int64_t generation = 0;
    bool dead = false;       // superseded, or the process is gone
    bool stopping = false;   // told to stop
    bool completed = false;  // its completion was said
    bool reading = false;    // waits for the thread's state
    std::int64_t last_n = 0;
    std::deque<app::OwnerMessage> unacknowledged;
    std::int64_t step = -1;
    std::int64_t wait_for_n = 0;  // goes on once that is acknowledged
    std::string head, log = "[]";
    std::vector<std::string> done_tasks;
  };
  using Exec = std::shared_ptr<Execution>;

  // Does something as the process: later when it is stopped, never when it is dead.
  void act(std::function<void()> fn);
  void later(Duration delay, const Exec& exec, std::function<void()> fn);
  void connect();
  void lost(std::uint16_t code);
  void renew();
  void forget_all();

  // messages of the server
  void on(const app::LeaseOffer& offer);
  void on(const app::CancelOrder& order);
  void on(const app::Superseded& superseded);
  void on(const app::Ack& ack);
  void on(const app::WorkerRequest& request);
  void on(const app::Replied&) {}
  void on(const app::DrainOrder&) {}
  Exec find(const std::string& owner, std::int64_t epoch) const;
  void drop(const Exec& exec);
  void acknowledged(const Exec& exec, std::int64_t n);

  // the graph
  void read_state(const Exec& exec);
  void take_state(const Exec& exec, const Tuple& tuple);
  void begin(const Exec& exec, const std::optional<store::CheckpointTuple>& tuple);
  void go_on(const Exec& exec);
  void do_step(const Exec& exec);
  void ask_person(const Exec& exec, std::int64_t step);
  void save(const Exec& exec, std::int64_t step);
  void complete(const Exec& exec, app::Outcome outcome);
  void say(
      const Exec& exec,
      std::variant<app::FramesSaid, app::CheckpointSaid, app::WritesSaid, app::ItemsSaid, app::CompleteSaid>
          body);
  void send(const app::OwnerMessage& message);
  std::string tag(const Exec& exec, std::int64_t step);

  // the supervisor
  void supervise();
  void say_ended(const std::string& session);

  Stage& stage_;
  Fleet& fleet_;
  Oracle& oracle_;
  Dice dice_;
  Bug bug_;
  std::string name_;
  bool running_ = false, paused_ = false, draining_ = false, supervised_ = true, supervisor_alive_ = false;
  std::uint64_t life_ = 0, supervisor_life_ = 0;
  std::string session_, secret_;
  std::uint64_t sessions_ = 0;
  std::map<std::string, SteadyTime> silent_;
  std::vector<std::function<void()>> held_back_;  // while it is stopped
  std::shared_ptr<Wire> wire_;
  bool welcome_ = false;
  std::int64_t generation_ = 0;
  Duration backoff_{};
  std::map<OwnerKey, Exec> executions_;
  std::shared_ptr<Wire> supervisor_wire_;
  std::map<std::string, SteadyTime> ended_;  // to be said again for a while
  std::int64_t serial_ = 0;
  std::function<void()> after_next_word_;
  Duration next_word_late_{};
};

}  // namespace dg::simulation
