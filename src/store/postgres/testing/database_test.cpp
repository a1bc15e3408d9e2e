// The databases of tests are what the tests take them for.
#include "store/postgres/testing/database.hpp"

#include <gtest/gtest.h>

#include "store/postgres/testing/loop.hpp"

namespace dg::store::postgres::testing {
namespace {

TEST(TestDatabaseTest, HasTheSchemaAndAnOwnerWhoMayDoNothingElse) {
  const TestDatabase database;
  auto owner = database.owner();
  EXPECT_EQ(owner.value(
                "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"),
            "f");
  EXPECT_EQ(owner.value("SELECT count(*) FROM schema_migrations"), std::to_string(schema_files().size()));
  EXPECT_EQ(owner.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                        "AND relowner <> current_user::regrole"),
            "0");
  owner.run("SELECT duragraph_ensure_partitions(now() + interval '200 days')");
}

TEST(TestDatabaseTest, IsGoneAfterwardsAlthoughSomebodyUsesIt) {
  std::string name;
  std::optional<Session> user;
  {
    const TestDatabase database(Content::nothing);
    name = database.name();
    user.emplace(database.conninfo());
    EXPECT_EQ(user->value("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"), "0");
  }
  Session admin(superuser_conninfo(""));
  EXPECT_TRUE(admin.run("SELECT FROM pg_database WHERE datname = '" + name + "'").empty());
  EXPECT_TRUE(admin.run("SELECT FROM pg_roles WHERE rolname = '" + name + "'").empty());
}

TEST(TestDatabaseTest, IsWhatConnectionsOpen) {
  const TestDatabase database;
  Loop loop;
  auto connection = loop.wait(Connection::open(*loop.timers, database.options()));
  ASSERT_TRUE(connection) << connection.error().message;
  auto rows = loop.wait((*connection)->query("SELECT current_database()::text"));
  ASSERT_TRUE(rows && rows->next());
  EXPECT_EQ(rows->text(), database.name());
}

}  // namespace
}  // namespace dg::store::postgres::testing
