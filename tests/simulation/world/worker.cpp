// The process, its connection and its supervisor.
#include "simulation/world/worker.hpp"

#include "base/json.hpp"

namespace dg::simulation {
namespace {

constexpr auto first_backoff = milliseconds(50);

}  // namespace

Worker::Worker(Stage& stage, Fleet& fleet, Oracle& oracle, int number, Bug bug)
    : stage_(stage),
      fleet_(fleet),
      oracle_(oracle),
      dice_(stage.people.next()),
      bug_(bug),
      name_("worker-" + std::to_string(number)),
      serial_(number * std::int64_t{1'000'000}) {}

void Worker::act(std::function<void()> fn) {
  if (!running_) return;
  if (paused_) {
    held_back_.push_back(std::move(fn));
  } else {
    fn();
  }
}

void Worker::later(Duration delay, const Exec& exec, std::function<void()> fn) {
  stage_.after(delay, [this, life = life_, exec, fn = std::move(fn)] {
    if (life != life_) return;
    act([exec, fn] {
      if (!exec->dead) fn();
    });
  });
}

void Worker::start() {
  ++life_;
  running_ = true;
  paused_ = draining_ = false;
  supervised_ = true;
  renew();
  if (!supervisor_alive_) {
    supervisor_alive_ = true;
    ++supervisor_life_;
    supervise();
  }
  connect();
}

void Worker::renew() {
  if (!session_.empty()) silent_.try_emplace(session_, stage_.now());
  session_ = fmt::format("{}-session-{}", name_, ++sessions_);
  secret_ = fmt::format("{:032x}", dice_.next());
  backoff_ = first_backoff;
}

void Worker::forget_all() {
  for (const auto& [key, exec] : executions_) exec->dead = true;
  executions_.clear();
}

void Worker::die(bool with_supervisor) {
  if (!running_) return;
  stage_.trace("{} dies{}", name_, with_supervisor ? " with its supervisor" : "");
  // One that has drained and has nothing left says goodbye.
  const bool clean = draining_ && executions_.empty();
  running_ = paused_ = welcome_ = false;
  ++life_;
  held_back_.clear();
  after_next_word(nullptr);
  forget_all();
  silent_.try_emplace(session_, stage_.now());
  if (wire_) {
    wire_->on_peer_closed = nullptr;
    wire_->peer_gone(clean);
    wire_ = nullptr;
  }
  if (with_supervisor) {
    supervisor_alive_ = false;
    ended_.clear();
    if (supervisor_wire_) supervisor_wire_->peer_gone();
    supervisor_wire_ = nullptr;
  } else {
    say_ended(session_);
  }
  const auto life = life_;
  stage_.after(dice_.between(milliseconds(200), seconds(3)), [this, life] {
    if (life == life_) start();
  });
}

void Worker::pause() {
  if (!running_ || paused_) return;
  stage_.trace("{} is stopped", name_);
  paused_ = true;
  silent_.try_emplace(session_, stage_.now());
}

void Worker::resume() {
  if (!running_ || !paused_) return;
  stage_.trace("{} continues", name_);
  paused_ = false;
  silent_.erase(session_);
  for (auto& fn : std::exchange(held_back_, {})) act(std::move(fn));
}

void Worker::drain() {
  act([this] {
    if (draining_) return;
    stage_.trace("{} drains", name_);
    draining_ = true;
    if (wire_ && welcome_)
      wire_->to_server(
          [session = session_](Server& server) { server.app().workers.set_slots(session, 2, true); });
    const auto executions = executions_;
    for (const auto& [key, exec] : executions)
      if (!exec->is_operation && !exec->completed) complete(exec, app::Outcome::cancelled);
    stage_.after(seconds(2), [this, life = life_] {
      if (life == life_) die(false);
    });
  });
}

// Its supervisor is gone: nobody beats for it, and it ends when the session's time is over.
void Worker::orphan() {
  if (!running_ || !supervisor_alive_) return;
  stage_.trace("{} loses its supervisor", name_);
  supervisor_alive_ = false;
  ++supervisor_life_;
  ended_.clear();
  if (supervisor_wire_) supervisor_wire_->peer_gone();
  supervisor_wire_ = nullptr;
  act([this] {
    draining_ = true;
    if (wire_ && welcome_)
      wire_->to_server(
          [session = session_](Server& server) { server.app().workers.set_slots(session, 2, true); });
  });
  stage_.after(milliseconds(9500), [this, life = life_] {
    if (life == life_) die(true);
  });
}

void Worker::cut_connection(bool silently) {
  if (wire_) wire_->cut(silently);
}

void Worker::heal() {
  resume();
  if (!running_) start();
}

// --- the connection -----------------------------------------------------------------------------

void Worker::connect() {
  const auto again = [this] {
    stage_.after(backoff_, [this, life = life_] {
      if (life == life_ && !wire_) act([this] { connect(); });
    });
    backoff_ = std::min<Duration>(backoff_ * 2, seconds(1));
  };
  if (wire_) return;
  wire_ = fleet_.connect();
  if (!wire_) return again();
  const auto is_this = [this, number = wire_->number] { return wire_ && wire_->number == number; };
  wire_->on_peer_closed = [this, life = life_, is_this](std::uint16_t code) {
    if (life != life_ || !is_this()) return;
    act([this, is_this, code] {
      if (is_this()) lost(code);
    });
  };
  app::Hello hello;
  hello.session = session_;
  hello.secret = secret_;
  hello.worker = R"({"name":")" + name_ + R"("})";
  hello.name = name_;
  hello.revision = "git:1";
  hello.supervised = supervised_;
  hello.draining = draining_;
  hello.slots = 2;
  hello.graphs = {{"agent", "", "null"}, {"planner", "", "null"}};
  for (const auto& [key, exec] : executions_) hello.owned.push_back({key.first, key.second});
  wire_->to_server(
      [this, wire = wire_, hello = std::move(hello)](Server& server) { server.serve(wire, *this, hello); });
}

void Worker::lost(std::uint16_t code) {
  stage_.trace("{} lost its connection ({})", name_, code);
  wire_->peer_gone();
  wire_ = nullptr;
  welcome_ = false;
  if (code == 4409) {
    forget_all();
    renew();
    supervised_ = false;
  }
  stage_.after(backoff_, [this, life = life_] {
    if (life == life_) act([this] { connect(); });
  });
  backoff_ = std::min<Duration>(backoff_ * 2, seconds(1));
}

void Worker::welcomed(const std::shared_ptr<Wire>& wire, app::Workers::Welcome welcome) {
  act([this, wire, welcome = std::move(welcome)] {
    if (wire != wire_) return;
    stage_.trace("{} is welcome as {}", name_, session_);
    welcome_ = true;
    ++generation_;
    backoff_ = first_backoff;
    for (const auto& owned : welcome.owned) {
      const auto exec = find(owned.owner, owned.epoch);
      if (!exec) continue;
      if (owned.state == app::OwnedAnswer::State::superseded) {
        drop(exec);
        continue;
      }
      oracle_.told_applied(exec->key, owned.applied_n);
      acknowledged(exec, owned.applied_n);
      if (exec->dead) continue;
      if (bug_ == Bug::numbers_repeated && !exec->unacknowledged.empty()) exec->last_n = owned.applied_n;
      for (const auto& message : exec->unacknowledged) send(message);
      if (exec->reading) read_state(exec);
      if (owned.state == app::OwnedAnswer::State::cancel)
        on(app::CancelOrder{owned.owner, owned.epoch, owned.action});
    }
  });
}

void Worker::receive(const std::shared_ptr<Wire>& wire, app::ToWorker message) {
  act([this, wire, message = std::move(message)] {
    if (wire != wire_) return;
    std::visit([this](const auto& m) { on(m); }, message);
  });
}

// --- the supervisor -----------------------------------------------------------------------------

// Beats every two seconds for the process, as long as it lives and is not stopped. A worker whose session
// expired beats for itself.
void Worker::supervise() {
  if (!supervisor_alive_) return;
  if (supervisor_wire_ && !supervisor_wire_->open()) supervisor_wire_ = nullptr;
  if (!supervisor_wire_) supervisor_wire_ = fleet_.connect();
  if (supervisor_wire_) {
    std::erase_if(ended_, [this](const auto& e) { return stage_.now() - e.second > seconds(30); });
    for (const auto& [session, at] : ended_) say_ended(session);
    if (running_ && (!paused_ || bug_ == Bug::stopped_worker_beats))
      supervisor_wire_->to_server(
          [session = session_](Server& server) { server.app().workers.beat(session); });
  }
  stage_.after(supervisor_wire_ ? Duration(seconds(2)) : Duration(milliseconds(200)),
               [this, life = supervisor_life_] {
                 if (life == supervisor_life_) supervise();
               });
}

void Worker::say_ended(const std::string& session) {
  ended_.try_emplace(session, stage_.now());
  if (supervisor_wire_)
    supervisor_wire_->to_server(
        [session](Server& server) { server.app().workers.ended(session, "its process ended"); });
}

// --- messages -----------------------------------------------------------------------------------

Worker::Exec Worker::find(const std::string& owner, std::int64_t epoch) const {
  const auto found = executions_.find({owner, epoch});
  return found == executions_.end() ? nullptr : found->second;
}

void Worker::drop(const Exec& exec) {
  exec->dead = true;
  executions_.erase(exec->key);
}

void Worker::on(const app::LeaseOffer& offer) {
  const OwnerKey key{offer.run.id, offer.run.epoch};
  if (executions_.contains(key)) return;
  const auto exec = std::make_shared<Execution>();
  exec->key = key;
  exec->run = offer.run;
  exec->thread_id = offer.run.thread_id;
  exec->plan = GraphPlan::from_json(offer.run.request.input);
  executions_[key] = exec;
  stage_.trace("{} executes {} epoch {}", name_, key.first, key.second);
  if (draining_) return complete(exec, app::Outcome::cancelled);
  if (!offer.has_checkpoints) return begin(exec, std::nullopt);
  read_state(exec);
}

void Worker::on(const app::CancelOrder& order) {
  const auto exec = find(order.owner, order.epoch);
  if (!exec || exec->stopping || exec->completed || exec->plan.stubborn) return;
  exec->stopping = true;
  complete(exec, app::Outcome::cancelled);
}

void Worker::on(const app::Superseded& superseded) {
  if (const auto exec = find(superseded.owner, superseded.epoch)) drop(exec);
}

void Worker::on(const app::Ack& ack) {
  if (const auto exec = find(ack.owner, ack.epoch)) {
    oracle_.told_applied(exec->key, ack.n);
    acknowledged(exec, ack.n);
  }
}

void Worker::acknowledged(const Exec& exec, std::int64_t n) {
  auto& waiting = exec->unacknowledged;
  while (!waiting.empty() && waiting.front().n <= n) {
    const bool last = std::holds_alternative<app::CompleteSaid>(waiting.front().body);
    waiting.pop_front();
    if (last) return drop(exec);
  }
  if (exec->wait_for_n == 0 || exec->wait_for_n > n) return;
  exec->wait_for_n = 0;
  if (exec->is_operation) {
    if (wire_ && exec->generation == generation_) {
      const auto result = R"({"checkpoint":{"checkpoint_id":")" + exec->head + R"("}})";
      wire_->to_server(
          [id = exec->request, result](Server& server) { server.app().workers.replied(id, result); });
    }
    return drop(exec);
  }
  go_on(exec);
}

void Worker::on(const app::WorkerRequest& request) {
  const json::View params(request.params);
  if (request.method != "update_state") return;
  const auto exec = std::make_shared<Execution>();
  exec->key = {params["operation"].string(), params["epoch"].integer().value_or(0)};
  exec->thread_id = params["thread_id"].string();
  exec->is_operation = true;
  exec->request = request.id;
  exec->generation = generation_;
  executions_[exec->key] = exec;
  read_state(exec);
}

}  // namespace dg::simulation
