#include "cli/config/commands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.hpp"
#include "cli/config/testing.hpp"

namespace dg::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// What flags leave behind; CLI's exceptions come through.
SettingSources parsed(std::vector<std::string> words) {
  CLI::App app;
  SettingSources sources = sources_of({});
  add_setting_flags(app, sources);
  std::ranges::reverse(words);
  app.parse(std::move(words));
  return sources;
}

TEST(SettingFlags, AreKeptByTheSettingsName) {
  EXPECT_THAT(parsed({"--db-host", "h", "--tls-cert=/c"}).flags,
              ElementsAre(Pair("DB_HOST", "h"), Pair("DURAGRAPH_TLS_CERT", "/c")));
  EXPECT_EQ(parsed({"--config", "/a.yaml"}).config, "/a.yaml");
  EXPECT_TRUE(parsed({}).flags.empty());
}

TEST(SettingFlags, OfSwitchesMayStandAlone) {
  EXPECT_THAT(parsed({"--auth-enabled", "--port", "1"}).flags,
              ElementsAre(Pair("AUTH_ENABLED", "true"), Pair("PORT", "1")));
  EXPECT_THAT(parsed({"--auth-enabled=false"}).flags, ElementsAre(Pair("AUTH_ENABLED", "false")));
  EXPECT_THAT(parsed({"--auth-enabled", "no"}).flags, ElementsAre(Pair("AUTH_ENABLED", "no")));
}

TEST(SettingFlags, OfListsMayBeRepeated) {
  EXPECT_THAT(parsed({"--nats-url", "nats://a,nats://b", "--nats-url", "nats://c"}).flags,
              ElementsAre(Pair("NATS_URL", "nats://a,nats://b,nats://c")));
  EXPECT_THROW(parsed({"--port", "1", "--port", "2"}), CLI::ParseError);
}

TEST(SettingFlags, LeaveWrongValuesToTheLoading) {
  const auto settings = load_settings(parsed({"--port", "x", "--db-port", "y"}));
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().fields.size(), 2);
}

TEST(ConfigShow, AlignsNamesValuesAndOrigins) {
  const auto settings = settings_of({{"DB_HOST", "db.example"}});
  const auto plain = settings_as_table(settings, false);
  EXPECT_THAT(plain, testing::StartsWith("SETTING                             VALUE\n"
                                         "PORT                                8080\n"));
  EXPECT_THAT(plain, testing::Not(HasSubstr("environment")));
  const auto table = settings_as_table(settings, true);
  EXPECT_THAT(table, HasSubstr("\nDB_HOST                             db.example             environment\n"));
  EXPECT_THAT(table, HasSubstr("\nJWT_SECRET                          -                      default\n"));
}

TEST(ConfigShow, MasksSecrets) {
  const auto settings = settings_of({{"DB_PASSWORD", "cret"},
                                     {"JWT_SECRET", "cret"},
                                     {"OPENAI_API_KEY", "cret"},
                                     {"ANTHROPIC_API_KEY", "cret"},
                                     {"DURAGRAPH_WORKER_TOKEN", "cret"},
                                     {"DURAGRAPH_NATS_USER", "me"},
                                     {"DURAGRAPH_NATS_PASSWORD", "cret"},
                                     {"DATABASE_URL", "postgres://me:cret@h/db?sslmode=require"},
                                     {"NATS_URL", "nats://cret@a:1,nats://me:cret@b:2"}});
  for (const auto& shown : {settings_as_table(settings, true), settings_as_json(settings)})
    EXPECT_THAT(shown, testing::Not(HasSubstr("cret@"))) << shown;
  const auto table = settings_as_table(settings, false);
  EXPECT_THAT(table,
              HasSubstr("\nDATABASE_URL                        postgres://me:***@h/db?sslmode=require\n"));
  EXPECT_THAT(table, HasSubstr("\nNATS_URL                            nats://***@a:1, nats://me:***@b:2\n"));
  const auto json = settings_as_json(settings);
  const json::View view(json);
  for (const auto* const name : {"DB_PASSWORD", "JWT_SECRET", "OPENAI_API_KEY", "ANTHROPIC_API_KEY",
                                 "DURAGRAPH_WORKER_TOKEN", "DURAGRAPH_NATS_PASSWORD"})
    EXPECT_EQ(view[name]["value"].string(), "***") << name;
  EXPECT_EQ(json.find("\"cret\""), std::string::npos);
}

TEST(ConfigShow, GivesJsonItsKinds) {
  const auto json = settings_as_json(settings_of(
      {{"RATE_LIMIT_RPS", "2.5"}, {"AUTH_ENABLED", "YES"}, {"DURAGRAPH_TRUSTED_PROXIES", "10.1.2.3/8"}}));
  ASSERT_TRUE(json::validate(json, json::client_rules));
  const json::View view(json);
  EXPECT_EQ(view["PORT"].raw(), R"({"value":8080,"origin":"default"})");
  EXPECT_EQ(view["RATE_LIMIT_RPS"].raw(), R"({"value":2.5,"origin":"environment"})");
  EXPECT_EQ(view["AUTH_ENABLED"]["value"].boolean(), true);
  EXPECT_EQ(view["DURAGRAPH_TRUSTED_PROXIES"]["value"].raw(), R"(["10.0.0.0/8"])");
  EXPECT_EQ(view["CORS_ALLOWED_ORIGINS"]["value"].raw(), "[]");
  EXPECT_TRUE(view["JWT_SECRET"]["value"].is_null());
  EXPECT_EQ(view["DURAGRAPH_LOG_LEVEL"]["value"].string(), "info");
}

}  // namespace
}  // namespace dg::cli
