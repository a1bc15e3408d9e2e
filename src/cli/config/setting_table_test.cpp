#include "cli/config/setting_table.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "cli/config/testing.hpp"

namespace dg::cli {
namespace {

// The names and defaults of the deployment guide.
TEST(SettingTable, HasTheDefaultsOfTheGuide) {
  const auto settings = settings_of({});
  EXPECT_EQ(settings.port, 8080);
  EXPECT_EQ(settings.host, "0.0.0.0");
  EXPECT_EQ(settings.db_host, "localhost");
  EXPECT_EQ(settings.db_port, 5432);
  EXPECT_EQ(settings.db_user, "appuser");
  EXPECT_EQ(settings.db_password, "apppass");
  EXPECT_EQ(settings.db_name, "appdb");
  EXPECT_EQ(settings.nats_url, Texts{"nats://localhost:4222"});
  EXPECT_FALSE(settings.auth_enabled);
  EXPECT_EQ(settings.jwt_secret, "");
  EXPECT_FALSE(settings.rate_limit_enabled);
  EXPECT_EQ(settings.rate_limit_rps, 10);
  EXPECT_EQ(settings.rate_limit_burst, 20);
  EXPECT_EQ(settings.openai_api_key, "");
  EXPECT_EQ(settings.anthropic_api_key, "");
}

TEST(SettingTable, HasTheOtherDefaults) {
  const auto settings = settings_of({});
  EXPECT_EQ(settings.database_url, "");
  EXPECT_EQ(settings.db_sslmode, "prefer");
  EXPECT_EQ(settings.db_pool_size, 8);
  EXPECT_EQ(settings.stop_delay, 2);
  EXPECT_TRUE(settings.cors_allowed_origins.empty());
  EXPECT_TRUE(settings.trusted_proxies.empty());
  EXPECT_EQ(settings.nats_replicas, 1);
  EXPECT_EQ(settings.nats_max_age, "7d");
  EXPECT_EQ(settings.run_timeout, "1h");
  EXPECT_EQ(settings.nats_max_bytes, "1G");
  EXPECT_EQ(settings.log_level, log::Level::info);
  EXPECT_EQ(settings.log_format, log::Format::automatic);
  EXPECT_TRUE(settings.origins.empty());
  EXPECT_TRUE(settings.warnings.empty());
}

TEST(SettingTable, ReadsEveryKindOfValue) {
  const auto settings = settings_of({{"PORT", "0"},
                                     {"HOST", "::1"},
                                     {"DB_POOL_SIZE", "256"},
                                     {"RATE_LIMIT_RPS", "0.5"},
                                     {"RATE_LIMIT_BURST", "1"},
                                     {"NATS_URL", "nats://a:1, tls://me:p@b:2,"},
                                     {"CORS_ALLOWED_ORIGINS", "https://a.example,http://localhost:3000"},
                                     {"DURAGRAPH_TRUSTED_PROXIES", "10.0.0.0/8,::1"},
                                     {"DURAGRAPH_LOG_LEVEL", "warn"}});
  EXPECT_EQ(settings.port, 0);
  EXPECT_EQ(settings.host, "::1");
  EXPECT_EQ(settings.db_pool_size, 256);
  EXPECT_EQ(settings.rate_limit_rps, 0.5);
  EXPECT_EQ(settings.rate_limit_burst, 1);
  EXPECT_EQ(settings.nats_url, (Texts{"nats://a:1", "tls://me:p@b:2"}));
  EXPECT_EQ(settings.cors_allowed_origins, (Texts{"https://a.example", "http://localhost:3000"}));
  EXPECT_EQ(settings.trusted_proxies,
            (Networks{*net::parse_network("10.0.0.0/8"), *net::parse_network("::1")}));
  EXPECT_EQ(settings.log_level, log::Level::warn);
}

TEST(SettingTable, ReadsTimesAndSizes) {
  using namespace std::chrono_literals;
  EXPECT_EQ(read_duration("90s"), 90s);
  EXPECT_EQ(read_duration("15m"), 15min);
  EXPECT_EQ(read_duration("36h"), 36h);
  EXPECT_EQ(read_duration("7d"), 168h);
  for (const auto* const wrong : {"", "d", "-1s", "1.5h", "7 d", "9223372036854775807d"})
    EXPECT_FALSE(read_duration(wrong)) << wrong;
  EXPECT_EQ(read_size("1000"), 1000);
  EXPECT_EQ(read_size("512K"), 512 << 10);
  EXPECT_EQ(read_size("64M"), 64 << 20);
  EXPECT_EQ(read_size("1G"), 1 << 30);
  for (const auto* const wrong : {"", "K", "0", "-1", "1.5G", "9223372036854775807G"})
    EXPECT_FALSE(read_size(wrong)) << wrong;
}

TEST(SettingTable, TakesManyWordsForYesAndNo) {
  for (const auto* const yes : {"true", "TRUE", "1", "yes", "Yes", "on"})
    EXPECT_TRUE(settings_of({{"AUTH_ENABLED", yes}}).auth_enabled) << yes;
  for (const auto* const no : {"false", "False", "0", "no", "off", "OFF"})
    EXPECT_FALSE(settings_of({{"AUTH_ENABLED", no}}).auth_enabled) << no;
}

struct WrongValue {
  const char* name;
  const char* value;
  const char* said;
};

class WrongSetting : public testing::TestWithParam<WrongValue> {};

TEST_P(WrongSetting, IsToldWithWhatIsAllowed) {
  const auto& [name, value, said] = GetParam();
  const auto settings = load_settings(sources_of({{name, value}}));
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Errc::invalid_argument);
  EXPECT_EQ(settings.error().message, fmt::format("{}: must be {} (environment)", name, said));
}

INSTANTIATE_TEST_SUITE_P(
    Settings, WrongSetting,
    testing::Values(
        WrongValue{"PORT", "65536", R"(a port from 0 to 65535, not "65536")"},
        WrongValue{"PORT", " 8080", R"(a port from 0 to 65535, not " 8080")"},
        WrongValue{"DB_PORT", "0", R"(a port from 1 to 65535, not "0")"},
        WrongValue{"HOST", "example.com",
                   R"(an IP address such as 127.0.0.1, or localhost, not "example.com")"},
        WrongValue{"DB_POOL_SIZE", "257", R"(a whole number, from 4 to 256, not "257")"},
        WrongValue{"DB_POOL_SIZE", "3", R"(a whole number, from 4 to 256, not "3")"},
        WrongValue{"RATE_LIMIT_RPS", "0", R"(a number above 0, not "0")"},
        WrongValue{"RATE_LIMIT_RPS", "inf", R"(a number above 0, not "inf")"},
        WrongValue{"RATE_LIMIT_BURST", "1.5", R"(a whole number, 1 or more, not "1.5")"},
        WrongValue{"AUTH_ENABLED", "maybe", R"(true or false (1, 0, yes, no, on, off), not "maybe")"},
        WrongValue{"DB_SSLMODE", "on",
                   R"(one of disable, allow, prefer, require, verify-ca, verify-full, not "on")"},
        WrongValue{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", R"(one of http/protobuf, http/json, not "grpc")"},
        WrongValue{"OTEL_TRACES_SAMPLER_ARG", "1.5", R"(a number from 0 to 1, not "1.5")"},
        WrongValue{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317",
                   R"(an http:// or https:// URL such as http://localhost:4318, not "***")"},
        WrongValue{"OTEL_EXPORTER_OTLP_HEADERS", "key",
                   R"(name=value pairs with commas between them, values percent-encoded, not "***")"},
        WrongValue{"DURAGRAPH_LOG_LEVEL", "loud", R"(one of debug, info, warn, error, off, not "loud")"},
        WrongValue{
            "DB_SSLROOTCERT", "/nowhere/ca.pem",
            R"(the path of a file that can be read, not "/nowhere/ca.pem": No such file or directory)"},
        WrongValue{"DURAGRAPH_TLS_CERT", "/",
                   R"(the path of a file that can be read, not "/": it is a folder)"},
        WrongValue{"DURAGRAPH_WORKER_TOKEN", "two words", R"(printable ASCII without spaces, not "***")"},
        WrongValue{
            "CORS_ALLOWED_ORIGINS", "https://a.example,b.example",
            R"(* or origins with commas between them, such as https://example.com:8443, not "b.example")"},
        WrongValue{
            "DURAGRAPH_TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.0/33",
            R"(addresses or networks with commas between them, such as 10.0.0.0/8,fd00::1, not "10.0.0.0/33")"},
        WrongValue{
            "NATS_URL", "nats://a:1,localhost:4222",
            R"(nats:// or tls:// URLs with commas between them, such as nats://localhost:4222, not "localhost:4222")"},
        WrongValue{
            "NATS_URL", " , ",
            R"(nats:// or tls:// URLs with commas between them, such as nats://localhost:4222, not " , ")"},
        WrongValue{
            "NATS_URL", "nats://me:pass,word@a:1",
            R"(nats:// or tls:// URLs with commas between them, such as nats://localhost:4222, not "nats://***")"},
        WrongValue{
            "NATS_URL", "nats://a/subject",
            R"(nats:// or tls:// URLs with commas between them, such as nats://localhost:4222, not "nats://a/subject")"},
        WrongValue{"DURAGRAPH_NATS_MAX_AGE", "7", R"(a time such as 90s, 15m, 36h or 7d, not "7")"},
        WrongValue{"DURAGRAPH_NATS_MAX_AGE", "0s", R"(a time such as 90s, 15m, 36h or 7d, not "0s")"},
        WrongValue{"DURAGRAPH_NATS_MAX_BYTES", "1T",
                   R"(a number of bytes, or of K, M or G, such as 512M, not "1T")"},
        WrongValue{"DURAGRAPH_NATS_REPLICAS", "6", R"(a whole number, from 1 to 5, not "6")"},
        WrongValue{"DATABASE_URL", "secret",
                   R"(a URI such as postgresql://user:password@host:5432/name, not "***")"},
        WrongValue{"DATABASE_URL", "mysql://h/db",
                   R"(a URI such as postgresql://user:password@host:5432/name, not "mysql://h/db")"},
        WrongValue{
            "DATABASE_URL", "postgres://me:secret@h/db?schema=public",
            R"(a URI such as postgresql://user:password@host:5432/name, not "postgres://***": libpq has no parameter "schema")"}));

TEST(SettingTable, RefusesNulsWhichOtherLanguagesEndTextsAt) {
  const auto settings = load_settings(sources_of({{"DB_PASSWORD", std::string("se\0cret", 7)}}));
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().message,
            "DB_PASSWORD: must be any text, not \"***\": it holds a NUL (environment)");
}

TEST(SettingTable, CutsLongWrongValues) {
  const auto settings = load_settings(sources_of({{"PORT", std::string(5000, 'x')}}));
  ASSERT_FALSE(settings);
  EXPECT_LT(settings.error().message.size(), 300);
}

TEST(SettingTable, NamesEachSettingOnce) {
  std::set<std::string> names;
  std::set<std::string> flags{"--config", "--origin", "--json", "--help"};
  for (const auto& setting : setting_table()) {
    EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
    EXPECT_TRUE(flags.insert(flag_of(setting)).second) << flag_of(setting);
  }
  EXPECT_TRUE(flags.contains("--db-host"));
  EXPECT_TRUE(flags.contains("--tls-cert"));
}

std::string table_for_docs() {
  std::string out =
      "| setting | flag | key | default | what it must be | what it is |\n|---|---|---|---|---|---|\n";
  for (const auto& setting : setting_table()) {
    const auto fallback = setting.fallback.empty() ? "–" : fmt::format("`{}`", setting.fallback);
    out += fmt::format("| `{}`{} | `{}` | `{}` | {} | {} | {} |\n", setting.name,
                       setting.secrecy == Secrecy::open ? "" : " (secret)", flag_of(setting), key_of(setting),
                       fallback, setting.rule.must, setting.help);
  }
  return out;
}

TEST(SettingTable, IsTheTableOfTheDocs) {
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
  std::ifstream file(root / "docs" / "configuration.md");
  const std::string docs{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(docs.contains("\n\n" + table_for_docs() + "\n"))
      << "the table in docs/configuration.md must be\n\n"
      << table_for_docs();
}

}  // namespace
}  // namespace dg::cli
