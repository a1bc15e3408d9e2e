#include "store/postgres/pool.hpp"

#include <algorithm>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dg::store::postgres {
namespace {

Failure no_connection(std::string why) {
  constexpr const char* too_many_connections = "53300";
  return {false, too_many_connections, std::move(why)};
}

}  // namespace

struct Pool::Waiter {
  explicit Waiter(Timers& timers) : woken(timers) {}
  Signal woken;
  std::optional<Lease> given;
};

struct Pool::State : std::enable_shared_from_this<State> {
  State(Timers& t, ConnectOptions o, std::size_t s, std::size_t w)
      : timers(t), options(std::move(o)), size(std::max<std::size_t>(s, 1)), max_waiting(w) {}

  // A place that is free, with the connection that was used last where there is one.
  Lease give() {
    ++used;
    return Lease(shared_from_this(), take_idle());
  }

  std::unique_ptr<Connection> take_idle() {
    if (idle.empty()) return nullptr;
    auto connection = std::move(idle.back());
    idle.pop_back();
    return connection;
  }

  void take_back(std::unique_ptr<Connection> connection) {
    if (connection && connection->is_lost()) {
      ++lost;
      connection.reset();
      idle.clear();  // what ended one has mostly ended them all
    }
    if (closed || (connection && connection->in_transaction())) connection.reset();
    if (!waiting.empty()) return hand_over(std::move(connection));
    --used;
    if (!connection) return;
    connection->give_up_at(std::nullopt);
    idle.push_back(std::move(connection));
  }

  void hand_over(std::unique_ptr<Connection> connection) {
    Waiter& first = *waiting.front();
    waiting.pop_front();
    first.given.emplace(Lease(shared_from_this(), std::move(connection)));
    first.woken.notify_all();
  }

  void close() {
    closed = true;
    idle.clear();
    for (auto* const waiter : std::exchange(waiting, {})) waiter->woken.notify_all();
  }

  Timers& timers;
  ConnectOptions options;
  std::size_t size;
  std::size_t max_waiting;
  std::vector<std::unique_ptr<Connection>> idle;  // the one that was used last is the last
  std::list<Waiter*> waiting;
  std::size_t used = 0;
  std::uint64_t opened = 0;
  std::uint64_t lost = 0;
  bool closed = false;
};

Pool::Lease& Pool::Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    give_back();
    state_ = std::move(other.state_);
    connection_ = std::move(other.connection_);
  }
  return *this;
}

Pool::Lease::~Lease() {
  give_back();
}

void Pool::Lease::give_back() {
  if (const auto state = std::exchange(state_, nullptr)) state->take_back(std::move(connection_));
}

Task<Outcome<void>> Pool::Lease::open(SteadyTime deadline) {
  if (connection_) co_return Outcome<void>{};
  auto options = state_->options;
  options.connect_deadline = std::min(options.connect_deadline, deadline - state_->timers.now());
  auto connection = co_await Connection::open(state_->timers, std::move(options));
  if (!connection) co_return fail_with(std::move(connection.error()));
  ++state_->opened;
  connection_ = std::move(*connection);
  co_return Outcome<void>{};
}

Pool::Pool(Timers& timers, ConnectOptions options, std::size_t size, std::size_t max_waiting)
    : state_(std::make_shared<State>(timers, std::move(options), size, max_waiting)) {}

Pool::~Pool() {
  close();
}

Task<Outcome<Pool::Lease>> Pool::take_place(SteadyTime deadline) {
  return wait_for_place(state_, deadline);
}

Task<Outcome<Pool::Lease>> Pool::take(SteadyTime deadline) {
  return take_open(state_, deadline);
}

Task<Outcome<Pool::Lease>> Pool::wait_for_place(std::shared_ptr<State> state, SteadyTime deadline) {
  if (state->closed) co_return fail_with(no_connection("the store was closed"));
  if (state->used < state->size) co_return state->give();
  if (state->waiting.size() >= state->max_waiting)
    co_return fail_with(no_connection("it has more reads waiting than it may"));
  Waiter waiter(state->timers);
  state->waiting.push_back(&waiter);
  // The frame may be destroyed while it waits.
  struct Leave {
    ~Leave() { state.waiting.remove(&waiter); }
    State& state;
    Waiter& waiter;
  } const leave{*state, waiter};
  co_await waiter.woken.wait_until(deadline);
  if (waiter.given) co_return std::move(*waiter.given);
  co_return fail_with(
      no_connection(state->closed ? "the store was closed" : "all connections to it stayed in use"));
}

Task<Outcome<Pool::Lease>> Pool::take_open(std::shared_ptr<State> state, SteadyTime deadline) {
  auto lease = co_await wait_for_place(std::move(state), deadline);
  if (!lease) co_return lease;
  if (auto opened = co_await lease->open(deadline); !opened) co_return fail_with(std::move(opened.error()));
  co_return lease;
}

void Pool::close() {
  state_->close();
}

PoolCounts Pool::counts() const {
  return {state_->used, state_->idle.size(), state_->waiting.size(), state_->opened, state_->lost};
}

Timers& Pool::timers() const {
  return state_->timers;
}

bool asks_for_no_text(const Failure& failure) {
  constexpr std::string_view character_not_in_repertoire = "22021";
  return failure.sqlstate == character_not_in_repertoire;
}

Attempts::Attempts(Timers& timers, Random& random, ReadLimits limits)
    : timers_(timers), random_(random), limits_(limits), deadline_(timers.now() + limits.deadline) {}

Task<bool> Attempts::again(const Failure& failure) {
  if (!failure.is_transient() || ++failed_ >= limits_.attempts) co_return false;
  const auto pause = pause_after(failed_, limits_.pauses, random_.next());
  if (timers_.now() + pause >= deadline_) co_return false;
  co_await sleep_for(timers_, pause);
  co_return true;
}

}  // namespace dg::store::postgres
