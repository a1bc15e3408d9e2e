// Rebuilding a database on PostgreSQL: what is corrected, and who is kept out meanwhile.
#include "app/audit_postgres_testing.hpp"
#include "store/postgres/instance_locks.hpp"

namespace dg::app::testing {
namespace {

using store::audit::ReadTable;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr auto take_as_instance = "SELECT pg_try_advisory_lock_shared(hashtextextended('{}', 0))";

TEST_F(PostgresAuditTest, RebuildCorrectsWhatIsWrong) {
  const auto before = tables();
  // The wrong row is in the way of the right one: one run of a thread is in progress.
  damage("DELETE FROM runs WHERE id = '" + running_.id +
         "'; UPDATE runs SET status = 'in_progress' WHERE id = '" + queued_.id +
         "'; UPDATE runs SET version = 0 WHERE id = '" + done_.id +
         "'; UPDATE assistants SET search = '[]', version = 2 WHERE id = '" + assistant_ +
         "'; UPDATE threads SET updated_at = 'epoch', status = 'idle', error = 'x', owner = 'x'; "
         "INSERT INTO assistant_versions SELECT assistant_id, 77, graph_id, name, description, config, "
         "context, metadata, created_at FROM assistant_versions WHERE assistant_id = '" +
         assistant_ + "' AND version = 1");
  const auto rebuilt = rebuild();
  EXPECT_EQ(tables(), before);
  EXPECT_EQ(rebuilt.tables.at(ReadTable::runs).added, 1);
  EXPECT_EQ(rebuilt.tables.at(ReadTable::runs).changed, 2);
  EXPECT_EQ(rebuilt.tables.at(ReadTable::assistants).changed, 1);
  EXPECT_EQ(rebuilt.tables.at(ReadTable::assistant_versions).removed, 1);
  EXPECT_GT(rebuilt.tables.at(ReadTable::threads).changed, 8);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(PostgresAuditTest, RebuildLeavesNothingDifferent) {
  const std::string all =
      "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM (SELECT runs::text FROM runs UNION ALL "
      "SELECT threads::text FROM threads UNION ALL SELECT assistants::text FROM assistants UNION ALL "
      "SELECT v::text FROM assistant_versions AS v) AS t";
  server_.kill();
  const auto before = test().owner().value(all);
  damage("DELETE FROM runs; DELETE FROM threads; DELETE FROM assistants; DELETE FROM assistant_versions");
  EXPECT_NE(test().owner().value(all), before);
  rebuild();
  EXPECT_EQ(test().owner().value(all), before);
}

TEST_F(PostgresAuditTest, RebuildLeavesWhatCannotBeReadAlone) {
  damage("UPDATE run_events SET payload = '{}' WHERE run_id = '" + done_.id +
         "' AND event_version = 2; UPDATE runs SET attempt = 9 WHERE id = '" + done_.id + "'");
  const auto before = tables();
  const auto rebuilt = rebuild();
  EXPECT_THAT(lines_of(rebuilt.findings), Contains(StartsWith("event-unreadable run=" + done_.id)));
  EXPECT_EQ(tables(), before);
}

TEST_F(PostgresAuditTest, RebuildIsRefusedWhileAnInstanceServes) {
  auto instance = test().owner();
  const auto take = fmt::format(take_as_instance, store::postgres::serving_lock);
  EXPECT_EQ(instance.value(take), "t");
  const auto refused = database_->open_rebuilding();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::busy);
  EXPECT_THAT(refused.error().message, HasSubstr("an instance of `duragraph serve` serves this database"));
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(PostgresAuditTest, NobodyServesOrWritesDuringARebuild) {
  server_.kill();
  {
    const auto rebuilding = database_->open_rebuilding();
    ASSERT_TRUE(rebuilding);
    auto other = test().owner();
    EXPECT_EQ(other.value(fmt::format(take_as_instance, store::postgres::serving_lock)), "f");
    other.run("SET lock_timeout = '10ms'");
    for (const std::string table : {"runs", "event_streams", "run_events", "leases", "checkpoints"})
      EXPECT_ANY_THROW(other.run("DELETE FROM " + table + " WHERE false")) << table;
    EXPECT_NE(other.value("SELECT count(*) FROM runs"), "0");
  }
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(PostgresAuditTest, RebuildWaitsForNobodyWhoWritesForLong) {
  server_.kill();
  auto writer = test().owner();
  writer.run("BEGIN; DELETE FROM leases WHERE false");
  const auto refused = store::open_postgres_rebuilding(test().conninfo(), std::chrono::milliseconds(10));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::busy);
  EXPECT_THAT(refused.error().message, HasSubstr("somebody else writes to this database"));
}

TEST(PostgresAuditOpen, WhatIsNoDatabaseIsRefused) {
  const store::postgres::testing::TestDatabase empty(store::postgres::testing::Content::nothing);
  const auto refused = store::open_postgres_audit(empty.conninfo());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("Run `duragraph db migrate`"));
  auto wrong = empty.conninfo();
  store::postgres::set_value(wrong, "password", "wrong");
  EXPECT_EQ(store::open_postgres_rebuilding(wrong).error().code, Errc::unauthorized);
  store::postgres::set_value(wrong, "dbname", "nowhere");
  store::postgres::set_value(wrong, "password", empty.password());
  EXPECT_EQ(store::open_postgres_audit(wrong).error().code, Errc::not_found);
}

}  // namespace
}  // namespace dg::app::testing
