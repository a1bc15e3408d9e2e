#include "store/postgres/pool.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>

#include "store/postgres/reads.hpp"
#include "store/postgres/testing/database.hpp"
#include "store/postgres/testing/loop.hpp"

namespace dg::store::postgres {
namespace {

class PoolTest : public ::testing::Test {
 protected:
  using Taken = std::optional<Outcome<Pool::Lease>>;

  Pool make(std::size_t size, std::size_t max_waiting) {
    return Pool(*loop_.timers, database_.options(), size, max_waiting);
  }
  SteadyTime soon(Duration duration = std::chrono::seconds(30)) { return loop_.timers->now() + duration; }
  Pool::Lease take(Pool& pool) {
    auto lease = loop_.wait(pool.take(soon()));
    if (!lease) throw std::runtime_error(lease.error().message);
    return std::move(*lease);
  }
  // Goes on when the loop runs.
  void start_taking(Pool& pool, Taken& taken, Duration patience = std::chrono::seconds(30)) {
    boost::asio::co_spawn(loop_.io.get_executor(), pool.take(soon(patience)),
                          [&taken](const std::exception_ptr& error, Outcome<Pool::Lease> lease) {
                            if (error) std::rethrow_exception(error);
                            taken.emplace(std::move(lease));
                          });
  }
  // Runs the loop until it has nothing left to do.
  void run_out() {
    loop_.io.restart();
    loop_.io.run();
  }
  void end_session(int pid) {
    database_.superuser().run("SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
  }
  ReadLimits limits(int attempts) {
    constexpr std::chrono::microseconds at_once(1);
    return {.attempts = attempts, .pauses = {.first = at_once, .longest = at_once}};
  }

  testing::TestDatabase database_;
  testing::Loop loop_;
};

Task<Outcome<std::int64_t>> read_number(Connection& db) {
  auto rows = co_await db.query("SELECT 7::bigint");
  if (!rows) co_return fail_with(std::move(rows.error()));
  co_return rows->next() ? rows->integer() : 0;
}

// Fails inside a transaction that it has begun.
Task<Outcome<std::int64_t>> fail_in_transaction(Connection& db) {
  Pipeline pipeline;
  pipeline.add("BEGIN");
  pipeline.add("SELECT 1 / 0");
  auto rows = co_await db.run(std::move(pipeline));
  co_return fail_with(std::move(rows.error()));
}

TEST_F(PoolTest, GivesOutTheConnectionThatWasUsedLast) {
  auto pool = make(3, 0);
  int first = 0, second = 0;
  {
    auto one = take(pool);
    auto two = take(pool);
    first = one->backend_pid();
    second = two->backend_pid();
    EXPECT_NE(first, second);
    EXPECT_EQ(pool.counts().in_use, 2U);
  }
  EXPECT_EQ(pool.counts().idle, 2U);
  auto again = take(pool);  // two was given back before one
  EXPECT_EQ(again->backend_pid(), first);
  EXPECT_EQ(pool.counts().opened, 2U);
  run_out();
  pool.close();
  EXPECT_EQ(pool.counts().idle, 0U);
}

TEST_F(PoolTest, WaitersAreServedInOrderAndBounded) {
  auto pool = make(1, 2);
  std::optional<Pool::Lease> held(take(pool));
  const int pid = (*held)->backend_pid();
  Taken first, second, third;
  start_taking(pool, first);
  start_taking(pool, second);
  start_taking(pool, third);
  loop_.io.restart();
  loop_.io.poll();
  ASSERT_TRUE(third);
  ASSERT_FALSE(*third);
  EXPECT_TRUE(third->error().is_transient());
  EXPECT_EQ(third->error().to_error().code, Errc::unavailable);
  EXPECT_EQ(pool.counts().waiting, 2U);
  held.reset();
  loop_.io.poll();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((**first)->backend_pid(), pid);
  EXPECT_FALSE(second);
  first.reset();
  run_out();
  ASSERT_TRUE(second && *second);
  EXPECT_EQ(pool.counts().waiting, 0U);
  second.reset();
  EXPECT_EQ(pool.counts().in_use, 0U);
}

TEST_F(PoolTest, WaitingEndsAtTheDeadline) {
  auto pool = make(1, 5);
  std::optional<Pool::Lease> held(take(pool));
  Taken late;
  start_taking(pool, late, std::chrono::milliseconds(1));
  run_out();
  ASSERT_TRUE(late);
  EXPECT_FALSE(*late);
  EXPECT_EQ(pool.counts().waiting, 0U);
  held.reset();
  EXPECT_EQ(pool.counts().idle, 1U);
}

TEST_F(PoolTest, ClosingWakesWhoWaits) {
  auto pool = make(1, 5);
  std::optional<Pool::Lease> held(take(pool));
  Taken waiting;
  start_taking(pool, waiting);
  loop_.io.restart();
  loop_.io.poll();
  pool.close();
  run_out();
  ASSERT_TRUE(waiting);
  EXPECT_FALSE(*waiting);
  held.reset();
  EXPECT_EQ(pool.counts().idle, 0U);
}

TEST_F(PoolTest, AConnectionOutlivesItsPool) {
  std::optional<Pool> pool(std::in_place, *loop_.timers, database_.options(), std::size_t{1}, std::size_t{1});
  auto lease = take(*pool);
  pool.reset();
  EXPECT_EQ(loop_.wait(read_number(*lease)).value(), 7);
}

TEST_F(PoolTest, LostConnectionsAndOpenTransactionsAreThrownAway) {
  auto pool = make(2, 0);
  {
    auto lease = take(pool);
    ASSERT_TRUE(loop_.wait(lease->query("BEGIN")));
  }
  EXPECT_EQ(pool.counts().idle, 0U);
  EXPECT_EQ(pool.counts().lost, 0U);
  {
    auto lease = take(pool);
    end_session(lease->backend_pid());
    EXPECT_FALSE(loop_.wait(lease->query("SELECT 1")));
  }
  EXPECT_EQ(pool.counts().idle, 0U);
  EXPECT_EQ(pool.counts().lost, 1U);
}

TEST_F(PoolTest, AReadIsRepeatedWhenItsConnectionWasLost) {
  auto pool = make(2, 0);
  {
    auto one = take(pool);
    auto two = take(pool);
    end_session(one->backend_pid());
    end_session(two->backend_pid());
  }
  EXPECT_EQ(loop_.wait(read(pool, *loop_.random, read_number, limits(2))).value(), 7);
  EXPECT_EQ(pool.counts().lost, 1U);
  EXPECT_EQ(pool.counts().idle, 1U);
}

TEST_F(PoolTest, AReadThatFailsIsRolledBackAndNotRepeated) {
  auto pool = make(1, 0);
  const auto answer = loop_.wait(read(pool, *loop_.random, fail_in_transaction));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::internal);
  EXPECT_EQ(pool.counts().idle, 1U);
  EXPECT_EQ(loop_.wait(read(pool, *loop_.random, read_number)).value(), 7);
  EXPECT_EQ(pool.counts().opened, 1U);
}

TEST_F(PoolTest, WhatIsNoTextIsNotThere) {
  auto pool = make(1, 0);
  const auto run = [](Connection& db) { return read_runs_of(db, {"\xff"}); };
  EXPECT_TRUE(loop_.wait(read(pool, *loop_.random, run)).value().empty());
  const auto item = [](Connection& db) { return read_item(db, {"\xff"}, "key"); };
  EXPECT_FALSE(loop_.wait(read(pool, *loop_.random, item)).value());
  EXPECT_EQ(pool.counts().opened, 1U);
}

TEST_F(PoolTest, AServerThatIsNotThereIsUnavailable) {
  auto options = database_.options();
  set_value(options.conninfo, "host", "127.0.0.1");
  set_value(options.conninfo, "port", "1");
  Pool pool(*loop_.timers, options, 1, 0);
  const auto answer = loop_.wait(read(pool, *loop_.random, read_number, limits(3)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::unavailable);
  EXPECT_NE(answer.error().message.find("try again"), std::string::npos);
  EXPECT_EQ(pool.counts().in_use, 0U);
}

TEST_F(PoolTest, AReadIsRepeatedWhenItsConnectionIsSilent) {
  auto pool = make(1, 0);
  int attempts = 0;
  auto slow_at_first = [&](Connection& db) -> Task<Outcome<std::int64_t>> {
    if (++attempts == 1) co_await db.query("SELECT pg_sleep(60)");
    co_return co_await read_number(db);
  };
  auto limits = this->limits(2);
  limits.patience = std::chrono::milliseconds(200);
  EXPECT_EQ(loop_.wait(read(pool, *loop_.random, slow_at_first, limits)).value(), 7);
  EXPECT_EQ(pool.counts().lost, 1U);
}

TEST_F(PoolTest, AStatementThatTookTooLongIsRepeated) {
  auto options = database_.options();
  options.statement_timeout = std::chrono::milliseconds(50);
  Pool pool(*loop_.timers, options, 1, 0);
  int attempts = 0;
  const auto until_third = [&attempts](Connection& db) -> Task<Outcome<Rows>> {
    return db.query("SELECT pg_sleep($1::bigint)", ++attempts < 3 ? 60 : 0);
  };
  EXPECT_TRUE(loop_.wait(read(pool, *loop_.random, until_third, limits(5))));
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(pool.counts().opened, 1U);
  attempts = 0;
  const auto answer = loop_.wait(read(pool, *loop_.random, until_third, limits(2)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::unavailable);
}

TEST_F(PoolTest, AReadEndsAtItsDeadline) {
  auto pool = make(1, 0);
  auto slow = [](Connection& db) { return db.query("SELECT pg_sleep(60)"); };
  auto limits = this->limits(5);
  limits.deadline = std::chrono::milliseconds(200);
  const auto answer = loop_.wait(read(pool, *loop_.random, slow, limits));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::unavailable);
  run_out();
}

}  // namespace
}  // namespace dg::store::postgres
