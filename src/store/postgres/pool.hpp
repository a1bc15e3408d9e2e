// Connections to PostgreSQL for reads, shared by the coroutines of one event loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/async.hpp"
#include "base/back_off.hpp"
#include "base/env.hpp"
#include "base/result.hpp"
#include "store/postgres/connection.hpp"

namespace dg::store::postgres {

struct PoolCounts {
  std::size_t in_use = 0;  // those that are being opened among them
  std::size_t idle = 0;
  std::size_t waiting = 0;  // coroutines
  // Since the pool was made.
  std::uint64_t opened = 0;
  std::uint64_t lost = 0;
};

// Opens connections on demand, `size` of them at most, and gives out first the one that was used last.
// Whoever finds all of them in use waits in order of arrival, `max_waiting` at most. Nothing is pending while
// nobody uses it. The timers outlive it; it may be destroyed while nobody waits, and before connections come
// back.
class Pool {
  struct State;
  struct Waiter;

 public:
  // The right to one connection, for whoever holds it alone. It comes back to the pool when the lease goes,
  // which is on the loop; one that was lost or is inside a transaction is thrown away.
  class Lease {
   public:
    Lease() = default;  // to nothing
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&& other) noexcept;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();

    // Opens the connection where there is none yet. The failure is the server's.
    Task<Outcome<void>> open(SteadyTime deadline);
    // Only when opened.
    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_.get(); }

   private:
    friend class Pool;
    Lease(std::shared_ptr<State> state, std::unique_ptr<Connection> connection)
        : state_(std::move(state)), connection_(std::move(connection)) {}
    void give_back();

    std::shared_ptr<State> state_;
    std::unique_ptr<Connection> connection_;
  };

  Pool(Timers& timers, ConnectOptions options, std::size_t size, std::size_t max_waiting);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Waits until there is a connection to be had or a place to open one. Fails when too many wait, when the
  // deadline comes first, and when the pool was closed.
  Task<Outcome<Lease>> take_place(SteadyTime deadline);
  // The same with the connection open.
  Task<Outcome<Lease>> take(SteadyTime deadline);
  // Lets go of the idle connections, and of the others when they come back. Who waits or comes later fails.
  void close();

  PoolCounts counts() const;
  Timers& timers() const;

 private:
  static Task<Outcome<Lease>> wait_for_place(std::shared_ptr<State> state, SteadyTime deadline);
  static Task<Outcome<Lease>> take_open(std::shared_ptr<State> state, SteadyTime deadline);

  std::shared_ptr<State> state_;
};

// How long a read may take, waiting and repetitions included, and how often it is tried.
struct ReadLimits {
  Duration deadline = std::chrono::seconds(30);
  Duration patience = std::chrono::seconds(25);  // of one attempt
  int attempts = 20;
  BackOff pauses{.first = std::chrono::milliseconds(20), .longest = std::chrono::seconds(2)};
};

// The attempts of one read.
class Attempts {
 public:
  Attempts(Timers& timers, Random& random, ReadLimits limits);
  SteadyTime deadline() const { return deadline_; }
  // Waits before another attempt; false when the failure is final, or there is no attempt or time left.
  Task<bool> again(const Failure& failure);

 private:
  Timers& timers_;
  Random& random_;
  ReadLimits limits_;
  SteadyTime deadline_;
  int failed_ = 0;
};

// Whether the statement was given bytes that are no text to the server: a NUL, or what is not UTF-8. No row
// holds them, so what is asked for by them is not there.
bool asks_for_no_text(const Failure& failure);

template <class Work>
using ReadBy = typename std::invoke_result_t<Work&, Connection&>::value_type::value_type;

// One attempt. `work` outlives it.
template <class Work>
Task<Outcome<ReadBy<Work>>> read_once(Pool::Lease lease, Work& work, Timers& timers, SteadyTime deadline,
                                      Duration patience) {
  if (auto opened = co_await lease.open(deadline); !opened) co_return fail_with(std::move(opened.error()));
  lease->give_up_at(std::min(deadline, timers.now() + patience));
  auto answer = co_await work(*lease);
  // What failed inside a transaction leaves it open.
  if (!answer && lease->in_transaction()) co_await lease->query("ROLLBACK");
  if (!answer && asks_for_no_text(answer.error())) co_return ReadBy<Work>{};
  co_return answer;
}

// Runs `work`, a function Task<Outcome<T>>(Connection&), on a connection of the pool. It changes nothing, so
// it is repeated where that may help: after a lost connection, or when the server restarts or is full. Too
// many waiters are told at once. Pool and random numbers outlive the read.
template <class Work>
Task<Result<ReadBy<Work>>> read(Pool& pool, Random& random, Work work, ReadLimits limits = {}) {
  Attempts attempts(pool.timers(), random, limits);
  while (true) {
    auto lease = co_await pool.take_place(attempts.deadline());
    if (!lease) co_return fail(lease.error().to_error());
    auto answer =
        co_await read_once(std::move(*lease), work, pool.timers(), attempts.deadline(), limits.patience);
    if (answer) co_return std::move(*answer);
    if (!co_await attempts.again(answer.error())) co_return fail(answer.error().to_error());
  }
}

}  // namespace dg::store::postgres
