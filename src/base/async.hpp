// Coroutines of one event loop: the task type, how to start one, waiting for a condition, and the
// port through which everything above waits for time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string_view>

namespace dg {

using Executor = boost::asio::io_context::executor_type;

template <class T = void>
using Task = boost::asio::awaitable<T, Executor>;

using Duration = std::chrono::microseconds;
// A reading of a clock that never goes back; its origin means nothing.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// The port for waiting. One belongs to one event loop and is used on its thread alone. The
// simulation implements it over a virtual clock.
class Timers {
 public:
  using Id = std::uint64_t;
  virtual ~Timers() = default;

  virtual SteadyTime now() const = 0;
  // Calls `fn` on the loop at `when` or soon after, never from inside this call.
  virtual Id call_at(SteadyTime when, std::function<void()> fn) = 0;
  // Forgets a call that has not happened; an unknown id is ignored.
  virtual void cancel(Id id) = 0;
  virtual Executor executor() const = 0;
};

// Timers over an io_context and the machine's steady clock.
std::unique_ptr<Timers> make_system_timers(boost::asio::io_context& io);

// Starts `task` on the loop and lets it go. An exception that leaves it is a bug: it is logged
// with `name` and ends the process.
void spawn(Executor executor, std::string_view name, Task<void> task);

// Waits `duration` by `timers`, which own the sleeper until then.
Task<void> sleep_for(Timers& timers, Duration duration);

// A condition that coroutines of one loop wait for. Not thread-safe: it lives on its loop.
// A waiter checks its condition, waits, and checks again, since it is woken for any change.
class Signal {
 public:
  explicit Signal(Timers& timers) : timers_(&timers) {}
  ~Signal() { notify_all(); }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  // Wakes everybody who waits now.
  void notify_all();

  // Returns true when notified and false when `deadline` came first. The signal may be destroyed
  // while somebody waits: that counts as a notification.
  Task<bool> wait_until(SteadyTime deadline);
  Task<bool> wait_for(Duration duration) { return wait_until(timers_->now() + duration); }
  Task<void> wait();

  std::size_t waiters() const { return waiters_.size(); }

 private:
  struct Waiter {
    std::function<void(bool)> resume;
    Timers::Id timer = 0;
  };
  Timers* timers_;
  std::list<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace dg
