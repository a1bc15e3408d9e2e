#include "base/async.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "base/timed_calls.hpp"

namespace dg {
namespace {

namespace asio = boost::asio;
constexpr auto use_task = asio::use_awaitable_t<Executor>{};

// One asio timer that is set to the earliest call.
class SystemTimers final : public Timers {
 public:
  explicit SystemTimers(asio::io_context& io) : io_(io), timer_(io) {}

  SteadyTime now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
  }

  Id call_at(SteadyTime when, std::function<void()> fn) override {
    const bool earliest = when < calls_.earliest();
    const Id id = calls_.add(when, std::move(fn));
    if (earliest) arm();
    return id;
  }

  void cancel(Id id) override {
    calls_.cancel(id);
    // With nothing left to call the loop is not kept running.
    if (calls_.earliest() == SteadyTime::max()) timer_.cancel();
  }

  Executor executor() const override { return io_.get_executor(); }

 private:
  void arm() {
    if (calls_.earliest() == SteadyTime::max()) return;
    timer_.expires_at(calls_.earliest());
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) fire();
    });
  }

  void fire() {
    const auto time = now();
    while (calls_.earliest() <= time) calls_.take_first()();
    arm();
  }

  asio::io_context& io_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             Executor>
      timer_;
  TimedCalls calls_;
};

}  // namespace

std::unique_ptr<Timers> make_system_timers(asio::io_context& io) {
  return std::make_unique<SystemTimers>(io);
}

void spawn(Executor executor, std::string_view name, Task<void> task) {
  asio::co_spawn(executor, std::move(task), [name = std::string(name)](const std::exception_ptr& error) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& bug) {
      log::fatal("a bug ended the task '{}': {}", name, bug.what());
    } catch (...) {
      log::fatal("a bug ended the task '{}'", name);
    }
  });
}

Task<void> sleep_for(Timers& timers, Duration duration) {
  const auto until = timers.now() + duration;
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
      [&timers, until](auto handler) {
        // The call owns the sleeper, so timers that go take their sleepers with them.
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        timers.call_at(until, [shared, executor = timers.executor()] {
          asio::post(executor, [shared] { std::move (*shared)(); });
        });
      },
      use_task);
}

void Signal::notify_all() {
  auto waiters = std::exchange(waiters_, {});
  for (auto& waiter : waiters) {
    if (waiter->timer != 0) timers_->cancel(waiter->timer);
    waiter->resume(true);
  }
}

Task<bool> Signal::wait_until(SteadyTime deadline) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(bool)>(
      [this, deadline](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        auto waiter = std::make_shared<Waiter>();
        // Resuming by post keeps a notifier from running its waiters on its own stack.
        waiter->resume = [shared, executor = timers_->executor()](bool notified) {
          asio::post(executor, [shared, notified] { std::move (*shared)(notified); });
        };
        const auto place = waiters_.insert(waiters_.end(), waiter);
        if (deadline != SteadyTime::max()) {
          waiter->timer = timers_->call_at(deadline, [this, place] {
            const auto late = std::move(*place);
            waiters_.erase(place);
            late->resume(false);
          });
        }
      },
      use_task);
}

Task<void> Signal::wait() {
  co_await wait_until(SteadyTime::max());
}

}  // namespace dg
