// An event loop under virtual time, for tests and simulations: no wait lasts, one seed gives one run.
#pragma once

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/env.hpp"
#include "base/timed_calls.hpp"

namespace dg {

// Timers whose time stands still until somebody moves it, one call after the other.
class VirtualTimers final : public Timers {
 public:
  VirtualTimers() : io_(std::make_unique<boost::asio::io_context>(1)) {}

  SteadyTime now() const override { return now_; }
  Id call_at(SteadyTime when, std::function<void()> fn) override { return calls_.add(when, std::move(fn)); }
  void cancel(Id id) override { calls_.cancel(id); }
  Executor executor() const override { return io_->get_executor(); }

  // Runs everything that waits for no time.
  void run_ready() {
    io_->restart();
    while (io_->poll() > 0) {
    }
  }
  // Moves time to the next call, unless that comes after `limit`, and makes it. False when there is none.
  bool make_next_call(SteadyTime limit) {
    const auto when = calls_.earliest();
    if (when == SteadyTime::max() || when > limit) return false;
    now_ = std::max(now_, when);
    calls_.take_first()();
    return true;
  }
  // Lets time pass until `when`; each call is made at its own time, and so is what it sets going.
  void run_until(SteadyTime when) {
    do {
      run_ready();
    } while (make_next_call(when));
    now_ = std::max(now_, when);
  }
  void run_for(Duration duration) { run_until(now_ + duration); }

  // Forgets the calls and the coroutines that wait for nothing but the loop, as when a process dies:
  // none of them goes on. What they use must have been destroyed before, or live until here.
  void abandon() {
    calls_.clear();
    io_ = std::make_unique<boost::asio::io_context>(1);
  }

 private:
  std::unique_ptr<boost::asio::io_context> io_;
  TimedCalls calls_;
  SteadyTime now_{std::chrono::hours(1)};
};

// The time of day that goes with VirtualTimers. It can be set apart from them, as an operator or NTP does.
class VirtualClock final : public Clock {
 public:
  explicit VirtualClock(const VirtualTimers& timers) : timers_(&timers) {}
  WallTime now() const override { return start_ + timers_->now().time_since_epoch(); }
  void step(Duration by) { start_ += by; }
  // From now on it is another process's, which knows nothing of the stamps given out before.
  void replace(Duration by) {
    step(by);
    forget_stamps();
  }

 private:
  const VirtualTimers* timers_;
  WallTime start_ = from_micros(1'767'225'600'000'000);  // 2026-01-01
};

// Random numbers that follow from a seed (splitmix64).
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

// The ports of one virtual event loop.
struct VirtualWorld {
  explicit VirtualWorld(std::uint64_t seed = 1) : random(seed) {}

  // Runs the loop until the task has ended, and lets time pass where nothing else is left to do. Throws
  // when the task has not ended after `most`.
  template <class T>
  T wait(Task<T> task, Duration most = std::chrono::minutes(10)) {
    struct Outcome {
      std::exception_ptr error;
      std::optional<T> value;
    };
    const auto outcome = std::make_shared<Outcome>();
    boost::asio::co_spawn(timers.executor(), std::move(task),
                          [outcome](const std::exception_ptr& error, T value) {
                            outcome->error = error;
                            if (!error) outcome->value = std::move(value);
                          });
    const auto limit = timers.now() + most;
    do {
      timers.run_ready();
    } while (!outcome->value && !outcome->error && timers.make_next_call(limit));
    if (outcome->error) std::rethrow_exception(outcome->error);
    if (!outcome->value) throw std::runtime_error("the task does not end");
    return std::move(*outcome->value);
  }

  VirtualTimers timers;
  VirtualClock clock{timers};
  SeededRandom random;
  Env env{clock, random, timers};
};

}  // namespace dg
