#include "store/postgres/instance_locks.hpp"

#include <gtest/gtest.h>

#include "store/postgres/testing/database.hpp"
#include "store/postgres/testing/loop.hpp"

namespace dg::store::postgres {
namespace {

TEST(InstanceLocks, TellTheDatabasesTimeWithEachAnswer) {
  testing::TestDatabase database;
  testing::Loop loop;
  int times = 0;
  Signal told(*loop.timers);
  InstanceLocks locks(loop.env, database.options(), "a", [&](WallTime theirs, SteadyTime asked) {
    // Here both are one machine.
    EXPECT_LE(std::chrono::abs(theirs - loop.env.clock.now()), std::chrono::seconds(30));
    EXPECT_LE(asked, loop.env.timers.now());
    ++times;
    told.notify_all();
  });
  EXPECT_TRUE(loop.wait(locks.try_take()).value());
  EXPECT_EQ(times, 1);
  bool leads = false;
  spawn(loop.env.timers.executor(), "locks", [](InstanceLocks& held, bool& out) -> Task<void> {
    co_await held.keep([&out](bool now) { out = now; });
  }(locks, leads));
  const auto twice = [&]() -> Task<bool> {
    while (times < 3) co_await told.wait();
    co_return true;
  };
  loop.wait(twice());
  EXPECT_TRUE(leads);
}

TEST(InstanceLocks, ThatOfTheSchemaIsShared) {
  testing::TestDatabase database;
  testing::Loop loop;
  auto migration = database.owner();
  const auto try_alone = fmt::format("SELECT pg_try_advisory_lock({}, {})", schema_locks, schema_number());
  {
    InstanceLocks one(loop.env, database.options(), "a");
    InstanceLocks other(loop.env, database.options(), "b");
    EXPECT_TRUE(loop.wait(one.try_take()).value());
    EXPECT_TRUE(loop.wait(other.try_take()).value());
    EXPECT_EQ(migration.value(try_alone), "f");
  }
  // The server sees their ends a moment later.
  migration.run(fmt::format("SELECT pg_advisory_lock({}, {})", schema_locks, schema_number()));
  InstanceLocks late(loop.env, database.options(), "c");
  EXPECT_FALSE(loop.wait(late.try_take()).value());
}

}  // namespace
}  // namespace dg::store::postgres
