#include "cli/config/database.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/config/database_url.hpp"
#include "cli/config/testing.hpp"

namespace dg::cli {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

DatabaseConninfo conninfo_of(Variables variables) {
  return database_conninfo(settings_of(std::move(variables))).value();
}

TEST(DatabaseConninfo, IsThatOfTheSettings) {
  EXPECT_THAT(
      conninfo_of({{"DB_HOST", "db.example"}, {"DB_PASSWORD", "p w'\\"}, {"DB_SSLMODE", "require"}}),
      UnorderedElementsAre(Pair("host", "db.example"), Pair("port", "5432"), Pair("user", "appuser"),
                           Pair("password", "p w'\\"), Pair("dbname", "appdb"), Pair("sslmode", "require")));
}

TEST(KnownPassword, IsForThisMachine) {
  const auto warnings = [](Variables variables) { return settings_of(std::move(variables)).warnings.size(); };
  EXPECT_EQ(warnings({}), 0U);
  for (const auto* const here : {"127.0.0.1", "::1", "/run/postgresql", "@abstract"})
    EXPECT_EQ(warnings({{"DB_HOST", here}}), 0U) << here;
  EXPECT_EQ(warnings({{"DB_HOST", "db.example"}}), 1U);
  EXPECT_EQ(warnings({{"DB_HOST", "db.example"}, {"DB_PASSWORD", "another"}}), 0U);
  EXPECT_EQ(warnings({{"DATABASE_URL", "postgresql://me:apppass@localhost,db.example/db"}}), 1U);
  EXPECT_EQ(warnings({{"DATABASE_URL", "postgresql://me:another@db.example/db"}}), 0U);
}

TEST(DatabaseConninfo, IsThatOfTheUrl) {
  EXPECT_THAT(
      conninfo_of({{"DATABASE_URL",
                    "postgresql://me:p%40ss%2Fw@h1:1,h2:2/my%20db?sslmode=verify-full&application_name=a%20b"
                    "&target_session_attrs=read-write&sslrootcert=%2Fca.pem"}}),
      UnorderedElementsAre(Pair("host", "h1,h2"), Pair("port", "1,2"), Pair("user", "me"),
                           Pair("password", "p@ss/w"), Pair("dbname", "my db"),
                           Pair("sslmode", "verify-full"), Pair("application_name", "a b"),
                           Pair("target_session_attrs", "read-write"), Pair("sslrootcert", "/ca.pem")));
}

// The defaults of DB_* are for the guide's database and not for another's.
TEST(DatabaseConninfo, TakesNoDefaultsBesideAUrl) {
  EXPECT_THAT(conninfo_of({{"DATABASE_URL", "postgres://db.example"}}),
              UnorderedElementsAre(Pair("host", "db.example"), Pair("sslmode", "prefer")));
}

TEST(DatabaseConninfo, TakesWhatIsSetAndTheUrlDoesNotSay) {
  EXPECT_THAT(conninfo_of({{"DATABASE_URL", "postgres://me@db.example"},
                           {"DB_PASSWORD", "secret"},
                           {"DB_NAME", "mine"},
                           {"DB_HOST", "elsewhere"},
                           {"DB_PORT", "1"},
                           {"DB_USER", "other"},
                           {"DB_SSLMODE", "require"}}),
              UnorderedElementsAre(Pair("host", "db.example"), Pair("user", "me"), Pair("password", "secret"),
                                   Pair("dbname", "mine"), Pair("sslmode", "require")));
  EXPECT_THAT(
      conninfo_of({{"DATABASE_URL", "postgres:///mine"}, {"DB_HOST", "/run/postgresql"}, {"DB_PORT", "1"}}),
      UnorderedElementsAre(Pair("dbname", "mine"), Pair("host", "/run/postgresql"), Pair("port", "1"),
                           Pair("sslmode", "prefer")));
  EXPECT_THAT(
      conninfo_of({{"DATABASE_URL", "postgres:///mine?hostaddr=10.0.0.1"}, {"DB_HOST", "elsewhere"}}),
      UnorderedElementsAre(Pair("dbname", "mine"), Pair("hostaddr", "10.0.0.1"), Pair("sslmode", "prefer")));
}

TEST(DatabaseConninfo, RefusesWhatLoadingWouldHaveRefused) {
  ServeSettings settings;
  settings.database_url = "postgres://h/db?what=1";
  const auto refused = database_conninfo(settings);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
}

TEST(DatabaseDisagreements, NameTheSettingAndNoValue) {
  const auto warnings = settings_of({{"DATABASE_URL", "postgres://me:first@db.example:5432/mine"},
                                     {"DB_HOST", "db.example"},
                                     {"DB_PORT", "5433"},
                                     {"DB_PASSWORD", "second"},
                                     {"DB_NAME", "mine"}})
                            .warnings;
  EXPECT_THAT(
      warnings,
      ElementsAre("DB_PORT (environment) is not used: DATABASE_URL (environment) has another port",
                  "DB_PASSWORD (environment) is not used: DATABASE_URL (environment) has another password"));
}

TEST(DatabaseDisagreements, KnowTheUsualPort) {
  EXPECT_EQ(settings_of({{"DATABASE_URL", "postgres://h/db"}, {"DB_PORT", "5433"}}).warnings.size(), 1);
  EXPECT_EQ(settings_of({{"DATABASE_URL", "postgres://h/db"}, {"DB_PORT", "5432"}}).warnings.size(), 0);
  EXPECT_EQ(settings_of({{"DATABASE_URL", "postgres:///db"}, {"DB_PORT", "5433"}}).warnings.size(), 0);
}

TEST(DatabaseDisagreements, AreNoneWithDefaultsOrWithoutAUrl) {
  EXPECT_THAT(settings_of({{"DATABASE_URL", "postgres://me:first@db.example:1/mine"}}).warnings,
              ElementsAre());
  EXPECT_THAT(settings_of({{"DB_HOST", "db.example"}, {"DB_PASSWORD", "mine"}}).warnings, ElementsAre());
}

TEST(DatabaseUrl, SaysWhyItCannotBeReadWithoutItsValues) {
  const auto why = [](const char* url) { return read_database_url(url).error().message; };
  EXPECT_EQ(why("host=h password=secret"), "");
  EXPECT_EQ(why("postgres://me:secret%zz@h/db"), "invalid percent-encoded token");
  EXPECT_EQ(why("postgres://h/db?pgbouncer=true"), "libpq has no parameter \"pgbouncer\"");
  EXPECT_EQ(why("postgres://me:p/w?secret=1@h/db"), "invalid URI query parameter");
  EXPECT_EQ(why("postgres://me:secret@[::1/db"),
            "end of string reached when looking for matching \"]\" in IPv6 host address in URI");
  EXPECT_EQ(why("postgres://me:secret/word@h/db"), "the port must be a port from 1 to 65535");
  EXPECT_EQ(why("postgres://h1:1,h2:70000/db"), "the port must be a port from 1 to 65535");
  EXPECT_EQ(why("postgres://h/db?sslmode=yes"),
            "sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full");
}

}  // namespace
}  // namespace dg::cli
