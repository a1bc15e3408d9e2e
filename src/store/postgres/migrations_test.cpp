// Schema files on real databases: applied by the program and by hand, once, twice and by many at once.
#include "store/postgres/migrations.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>

#include "store/postgres/instance_locks.hpp"
#include "store/postgres/schema.hpp"
#include "store/postgres/testing/connected.hpp"

namespace dg::store::postgres {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = SchemaState::Kind;

// What the command prints. Throws when it fails.
std::string output_of(const std::string& command) {
  std::string output;
  FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> chunk{};
  while (const auto got = std::fread(chunk.data(), 1, chunk.size(), pipe)) output.append(chunk.data(), got);
  if (::pclose(pipe) != 0) throw std::runtime_error(command + ": " + output);
  return output;
}

// A schema as statements, without the two lines that are others each time.
std::string schema_of(const testing::TestDatabase& database) {
  return output_of("pg_dump --schema-only --no-owner " + database.url() +
                   " | grep -v '^.\\(un\\)\\?restrict '");
}

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const auto& file : schema_files()) names.emplace_back(file.name);
  return names;
}

class MigrationsTest : public testing::Connected {
 protected:
  Outcome<Migration> migrate() { return loop_.wait(postgres::migrate(*connection_)); }
  SchemaState state() {
    auto state = loop_.wait(schema_state(*connection_));
    if (!state) throw std::runtime_error(state.error().message);
    return std::move(*state);
  }
  // The whole schema as statements, and the table that says how it came about.
  std::string dump() const {
    return schema_of(database_) + output_of("psql -X -At -c 'TABLE schema_migrations' " + database_.url());
  }
  // As somebody does who follows the guide.
  void apply_by_hand() const {
    for (const auto& file : schema_files())
      output_of(fmt::format("psql -X -q -f {}/deploy/sql/{} {}", testing::source_folder().string(), file.name,
                            database_.url()));
  }
  void execute(std::string_view sql) { database_.owner().run(sql); }
};

TEST_F(MigrationsTest, AnEmptyDatabaseGetsAllFiles) {
  EXPECT_EQ(state().kind, Kind::none);
  EXPECT_THAT(state().message, HasSubstr("Run `duragraph db migrate`"));
  const auto migration = migrate();
  ASSERT_TRUE(migration) << migration.error().message;
  EXPECT_EQ(migration->found.kind, Kind::none);
  EXPECT_EQ(migration->applied, all_names());
  EXPECT_EQ(state().kind, Kind::current);
  EXPECT_THAT(state().missing, IsEmpty());
  for (const auto& file : schema_files())
    EXPECT_EQ(text("SELECT checksum FROM schema_migrations WHERE version = $1 AND name = $2", file.version,
                   file.name),
              sha256_hex(file.text));
}

TEST_F(MigrationsTest, ASecondTimeChangesNothing) {
  ASSERT_TRUE(migrate());
  const auto before = dump();
  const auto again = migrate();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->found.kind, Kind::current);
  EXPECT_THAT(again->applied, IsEmpty());
  EXPECT_EQ(dump(), before);
  apply_by_hand();
  EXPECT_EQ(dump(), before);
}

TEST_F(MigrationsTest, ADatabaseSetUpByHandIsKnownAndTheSame) {
  apply_by_hand();
  EXPECT_EQ(state().kind, Kind::current);
  const auto migration = migrate();
  ASSERT_TRUE(migration) << migration.error().message;
  EXPECT_THAT(migration->applied, IsEmpty());
  EXPECT_EQ(text("SELECT count(checksum)::text FROM schema_migrations"), "0");
  const testing::TestDatabase other(testing::Content::nothing);
  const auto connection = open(other.options());
  ASSERT_TRUE(connection);
  ASSERT_TRUE(loop_.wait(postgres::migrate(**connection)));
  EXPECT_EQ(schema_of(database_), schema_of(other));
}

TEST_F(MigrationsTest, WhatIsMissingIsAppliedAndTheRestLeftAlone) {
  ASSERT_TRUE(migrate());
  const auto& last = schema_files().back();
  execute(fmt::format("DELETE FROM schema_migrations WHERE version = {}", last.version));
  EXPECT_EQ(state().kind, Kind::older);
  EXPECT_THAT(state().missing, ElementsAre(std::string(last.name)));
  EXPECT_THAT(state().message,
              AllOf(HasSubstr(std::string(last.name)), HasSubstr("Run `duragraph db migrate`")));
  const auto migration = migrate();
  ASSERT_TRUE(migration) << migration.error().message;
  EXPECT_EQ(migration->found.kind, Kind::older);
  EXPECT_THAT(migration->applied, ElementsAre(std::string(last.name)));
  EXPECT_EQ(state().kind, Kind::current);
}

// Migrations that go on side by side.
struct AtOnce {
  explicit AtOnce(Timers& timers) : ended(timers) {}

  std::size_t under_way = 0;
  std::vector<std::string> applied;
  Signal ended;
};

Task<void> migrate_beside(AtOnce& others, Connection& connection) {
  const auto migration = co_await postgres::migrate(connection);
  EXPECT_TRUE(migration) << migration.error().message;
  if (migration)
    others.applied.insert(others.applied.end(), migration->applied.begin(), migration->applied.end());
  --others.under_way;
  others.ended.notify_all();
}

Task<bool> wait_for_all(AtOnce& others) {
  while (others.under_way > 0) co_await others.ended.wait();
  co_return true;
}

TEST_F(MigrationsTest, TenAtOnceApplyEachFileOnce) {
  std::array<std::unique_ptr<Connection>, 10> connections;
  for (auto& connection : connections) connection = std::move(*open(database_.options()));
  AtOnce at_once(*loop_.timers);
  for (const auto& connection : connections) {
    ++at_once.under_way;
    spawn(loop_.io.get_executor(), "migration", migrate_beside(at_once, *connection));
  }
  loop_.wait(wait_for_all(at_once));
  EXPECT_EQ(at_once.applied, all_names());
  EXPECT_EQ(state().kind, Kind::current);
}

TEST_F(MigrationsTest, WhoWaitsForAnotherIsToldAndFindsNothingToDo) {
  auto other = database_.owner();
  other.run("SELECT pg_advisory_lock(x'4475726147726170'::bigint)");
  bool waited = false;
  const auto migration = loop_.wait(postgres::migrate(*connection_, [&](std::string_view what) {
    EXPECT_EQ(what, "another migration to end");
    waited = true;
    for (const auto& file : schema_files()) other.run(script_of(file));
    other.run("SELECT pg_advisory_unlock_all()");
  }));
  ASSERT_TRUE(migration) << migration.error().message;
  EXPECT_TRUE(waited);
  EXPECT_THAT(migration->applied, IsEmpty());
}

TEST_F(MigrationsTest, TheSessionIsAsItWasAfterwards) {
  ASSERT_TRUE(migrate());
  EXPECT_EQ(text("SELECT current_setting('statement_timeout')"), "20s");
  EXPECT_EQ(text("SELECT current_setting('lock_timeout')"), "0");
  EXPECT_EQ(
      text("SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"),
      "0");
}

TEST_F(MigrationsTest, AFileThatFailsLeavesThoseBeforeIt) {
  const auto& second = schema_files()[1];
  // Makes the second file fail in its middle.
  execute("CREATE SEQUENCE run_segments");
  const auto migration = migrate();
  ASSERT_FALSE(migration);
  EXPECT_THAT(migration.error().message, HasSubstr(std::string(second.name) + ": "));
  EXPECT_FALSE(connection_->is_lost());
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(state().kind, Kind::older);
  EXPECT_EQ(text("SELECT string_agg(name, ' ') FROM schema_migrations"), schema_files().front().name);
  EXPECT_EQ(text("SELECT coalesce(to_regclass('event_streams')::text, 'none')"), "none");
  execute("DROP SEQUENCE run_segments");
  ASSERT_TRUE(migrate());
  EXPECT_EQ(state().kind, Kind::current);
}

// A table that is in use is asked for again and again, and others get it in between.
TEST_F(MigrationsTest, NobodyWaitsForAMigrationThatWaitsForATable) {
  ASSERT_TRUE(migrate());
  execute(fmt::format("DELETE FROM schema_migrations WHERE version = {}", schema_files().back().version));
  auto reader = database_.owner();
  reader.run("BEGIN; LOCK TABLE runs IN ACCESS SHARE MODE");
  auto writer = database_.owner();
  bool waited = false;
  const auto migration = loop_.wait(postgres::migrate(*connection_, [&](std::string_view what) {
    EXPECT_EQ(what, "those who use the tables that are to be changed");
    waited = true;
    writer.run("BEGIN; LOCK TABLE runs IN ROW EXCLUSIVE MODE NOWAIT; COMMIT");
    reader.run("COMMIT");
  }));
  ASSERT_TRUE(migration) << migration.error().message;
  EXPECT_TRUE(waited);
  EXPECT_THAT(migration->applied, ElementsAre(std::string(schema_files().back().name)));
}

TEST_F(MigrationsTest, ANewerSchemaIsLeftAlone) {
  ASSERT_TRUE(migrate());
  const auto number = schema_number() + 2;
  execute(fmt::format("INSERT INTO schema_migrations VALUES ({0}, '{0}_future.sql', {0})", number));
  const auto migration = migrate();
  ASSERT_TRUE(migration) << migration.error().message;
  EXPECT_EQ(migration->found.kind, Kind::newer);
  EXPECT_EQ(migration->found.number, number);
  EXPECT_FALSE(migration->found.is_served());
  EXPECT_THAT(migration->applied, IsEmpty());
  EXPECT_THAT(migration->found.message,
              AllOf(HasSubstr(fmt::format("schema {}", number)), HasSubstr("newer release")));
}

// Those with the schema before would serve this one, and those with an earlier one would not.
TEST_F(MigrationsTest, InstancesThatCouldNotFollowAreNotLeftBehind) {
  const auto serving = fmt::format("SELECT pg_advisory_lock_shared({}, {{}})", schema_locks);
  auto instance = database_.owner();
  instance.run(fmt::format(fmt::runtime(serving), schema_number() - 2));
  const auto refused = migrate();
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_EQ(refused->found.kind, Kind::in_use);
  EXPECT_THAT(refused->applied, IsEmpty());
  EXPECT_EQ(state().kind, Kind::none);
  instance.run("SELECT pg_advisory_unlock_all()");
  instance.run(fmt::format(fmt::runtime(serving), schema_number() - 1));
  ASSERT_TRUE(migrate());
  EXPECT_EQ(state().kind, Kind::current);
}

TEST_F(MigrationsTest, TheNextSchemaIsServedAndLeftAlone) {
  ASSERT_TRUE(migrate());
  const auto number = schema_number() + 1;
  execute(fmt::format("INSERT INTO schema_migrations VALUES ({0}, '{0}_next.sql', {0})", number));
  const auto migration = migrate();
  ASSERT_TRUE(migration) << migration.error().message;
  EXPECT_EQ(migration->found.kind, Kind::next);
  EXPECT_TRUE(migration->found.is_served());
  EXPECT_THAT(migration->applied, IsEmpty());
}

TEST_F(MigrationsTest, ANewDatabaseOfTheNextSchemaIsServedWhateverItsTexts) {
  ASSERT_TRUE(migrate());
  execute(fmt::format("UPDATE schema_migrations SET schema_number = {}, checksum = repeat('0', 64)",
                      schema_number() + 1));
  EXPECT_EQ(state().kind, Kind::next);
}

TEST_F(MigrationsTest, WhatTheNextReleaseHasBegunIsItsOwnToEnd) {
  ASSERT_TRUE(migrate());
  execute(fmt::format("DELETE FROM schema_migrations WHERE version = {}", schema_files().back().version));
  execute(fmt::format("UPDATE schema_migrations SET schema_number = {}", schema_number() + 1));
  EXPECT_EQ(state().kind, Kind::newer);
  const auto migration = migrate();
  ASSERT_TRUE(migration);
  EXPECT_THAT(migration->applied, IsEmpty());
}

TEST_F(MigrationsTest, AFileThatWasChangedAfterwardsIsFound) {
  ASSERT_TRUE(migrate());
  execute("UPDATE schema_migrations SET checksum = repeat('0', 64) WHERE version = 2");
  EXPECT_EQ(state().kind, Kind::altered);
  EXPECT_THAT(state().message, HasSubstr("another text of 002_"));
  const auto migration = migrate();
  ASSERT_TRUE(migration);
  EXPECT_THAT(migration->applied, IsEmpty());
}

class OthersTest : public MigrationsTest {
 protected:
  // Nothing is changed in a database of that kind.
  void expect_refused(Kind kind) {
    EXPECT_EQ(state().kind, kind) << state().message;
    EXPECT_THAT(state().message, HasSubstr("DuraGraph"));
    const auto before = schema_of(database_);
    const auto migration = migrate();
    ASSERT_TRUE(migration) << migration.error().message;
    EXPECT_EQ(migration->found.kind, kind);
    EXPECT_THAT(migration->applied, IsEmpty());
    EXPECT_EQ(schema_of(database_), before);
  }
};

TEST_F(OthersTest, TheOriginalIsKnownByItsTables) {
  execute(
      "CREATE TABLE threads (id uuid PRIMARY KEY); CREATE TABLE runs (id uuid PRIMARY KEY, thread_id uuid);"
      "CREATE TABLE execution_history (id bigserial PRIMARY KEY)");
  expect_refused(Kind::original);
  EXPECT_THAT(state().message,
              AllOf(HasSubstr("the original DuraGraph"), HasSubstr("`duragraph db migrate`")));
}

TEST_F(OthersTest, TheOriginalIsKnownByItsRuns) {
  execute(
      "CREATE TABLE runs (id uuid PRIMARY KEY, thread_id uuid, assistant_id uuid, status varchar(50), input "
      "jsonb)");
  expect_refused(Kind::original);
}

TEST_F(OthersTest, TheOriginalIsKnownByItsViews) {
  execute(
      "CREATE TABLE events (id bigserial); CREATE MATERIALIZED VIEW event_statistics AS SELECT count(*) FROM "
      "events");
  expect_refused(Kind::original);
}

TEST_F(OthersTest, TablesOfAnotherProgramAreLeftAlone) {
  execute("CREATE TABLE checkpoints (thread_id text); CREATE TABLE checkpoint_writes (thread_id text)");
  expect_refused(Kind::foreign);
  EXPECT_THAT(state().message, HasSubstr("(checkpoint_writes, checkpoints)"));
}

TEST_F(OthersTest, MigrationsOfAnotherProgramAreNotOurs) {
  execute("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)");
  expect_refused(Kind::foreign);
}

TEST_F(OthersTest, TablesUnderOtherNamesDoNotMatter) {
  execute("CREATE TABLE customers (id bigint)");
  EXPECT_EQ(state().kind, Kind::none);
  ASSERT_TRUE(migrate());
  EXPECT_EQ(state().kind, Kind::current);
}

TEST_F(OthersTest, ADatabaseThatIsNotUtf8IsRefused) {
  auto admin = testing::Session(testing::superuser_conninfo(""));
  const auto name = database_.name() + "_latin";
  admin.run(fmt::format("CREATE DATABASE {} OWNER {} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", name,
                        database_.name()));
  auto conninfo = database_.conninfo();
  set_value(conninfo, "dbname", name);
  {
    const auto connection = open({.conninfo = conninfo});
    ASSERT_TRUE(connection);
    const auto migration = loop_.wait(postgres::migrate(**connection));
    ASSERT_TRUE(migration) << migration.error().message;
    EXPECT_EQ(migration->found.kind, Kind::unsuitable);
    EXPECT_THAT(migration->found.message, HasSubstr("LATIN1"));
  }
  admin.run(fmt::format("DROP DATABASE {}", name));
}

TEST(SchemaTest, ScriptsHaveNoLinesOfPsql) {
  for (const auto& file : schema_files()) {
    const auto script = script_of(file);
    EXPECT_EQ(script.find("\\set"), std::string::npos) << file.name;
    EXPECT_EQ(std::ranges::count(script, '\n'), std::ranges::count(file.text, '\n')) << file.name;
  }
}

TEST(SchemaTest, FilesAreInOrderAndSaySo) {
  std::int64_t before = 0;
  for (const auto& file : schema_files()) {
    EXPECT_GT(file.version, before);
    before = file.version;
    EXPECT_THAT(std::string(file.text),
                AllOf(HasSubstr("\\set ON_ERROR_STOP on\nBEGIN;\n"),
                      HasSubstr(fmt::format("VALUES ({}, '{}', {}) ON CONFLICT DO NOTHING;\nCOMMIT;\n",
                                            file.version, file.name, schema_number()))))
        << file.name;
  }
}

TEST(SchemaTest, UpgradesFollowOneAnotherAndSaySo) {
  auto before = schema_files().back().version;
  for (const auto& file : schema_upgrades()) {
    EXPECT_EQ(file.version, before + 1) << file.name;
    before = file.version;
    EXPECT_THAT(std::string(file.text),
                AllOf(HasSubstr("\\set ON_ERROR_STOP on\n"), HasSubstr("\nBEGIN;\n"),
                      HasSubstr(fmt::format("VALUES ({0}, '{1}', {0}) ON CONFLICT DO NOTHING;\nCOMMIT;\n",
                                            file.version, file.name))))
        << file.name;
  }
}

TEST(SchemaTest, WhatIsDoneInNoTransactionIsAPartOfItsOwn) {
  const SchemaFile file{
      7, "007_more.sql",
      "-- More.\n\\set ON_ERROR_STOP on\nDROP INDEX CONCURRENTLY a;\nCREATE INDEX CONCURRENTLY a\n"
      "  ON t (a);\nBEGIN;\nSELECT 1;\nCOMMIT;\n"};
  EXPECT_THAT(parts_of(file),
              ElementsAre("-- More.\n\nDROP INDEX CONCURRENTLY a;\n",
                          "CREATE INDEX CONCURRENTLY a\n  ON t (a);\n", "BEGIN;\nSELECT 1;\nCOMMIT;\n"));
  for (const auto& made : schema_files())
    EXPECT_THAT(parts_of(made), ElementsAre(script_of(made))) << made.name;
}

}  // namespace
}  // namespace dg::store::postgres
