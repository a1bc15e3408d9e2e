#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/scratch_folder.hpp"
#include "cli/config/testing.hpp"

namespace dg::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class LoadSettings : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const auto path = folder_.path() / name;
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

  // What is wrong, a line each as "PLACE: message".
  static std::vector<std::string> wrong_of(const SettingSources& sources) {
    const auto settings = load_settings(sources);
    std::vector<std::string> out;
    if (settings) return out;
    EXPECT_EQ(settings.error().code, Errc::invalid_argument);
    for (const auto& [place, message] : settings.error().fields) {
      out.push_back(fmt::format("{}: {}", place, message));
      EXPECT_THAT(settings.error().message, HasSubstr(out.back()));
    }
    return out;
  }

  static std::string from(const Result<ServeSettings>& settings, std::string_view name) {
    return to_string(settings.value().origin_of(name));
  }

  ScratchFolder folder_{"config-test"};
};

TEST_F(LoadSettings, TakesTheFirstSourceThatHasAValue) {
  const auto config = write("a.yaml", "db_host: in-file\ndb_password: in-file\n");
  const auto secret = write("secret", "in-secret\n");

  auto settings = load_settings(sources_of({}, {}, config));
  EXPECT_EQ(settings->db_host, "in-file");
  EXPECT_EQ(from(settings, "DB_HOST"), "file " + config);
  EXPECT_EQ(from(settings, "DB_NAME"), "default");

  settings = load_settings(sources_of({{"DB_PASSWORD_FILE", secret}}, {}, config));
  EXPECT_EQ(settings->db_password, "in-secret");
  EXPECT_EQ(from(settings, "DB_PASSWORD"), "file " + secret);

  settings = load_settings(
      sources_of({{"DB_HOST", "in-environment"}, {"DB_PASSWORD", "in-environment"}}, {}, config));
  EXPECT_EQ(settings->db_host, "in-environment");
  EXPECT_EQ(settings->db_password, "in-environment");
  EXPECT_EQ(from(settings, "DB_HOST"), "environment");

  settings = load_settings(sources_of({{"DB_HOST", "in-environment"}, {"DB_PASSWORD_FILE", secret}},
                                      {{"DB_HOST", "in-flag"}, {"DB_PASSWORD", "in-flag"}}, config));
  EXPECT_EQ(settings->db_host, "in-flag");
  EXPECT_EQ(settings->db_password, "in-flag");
  EXPECT_EQ(from(settings, "DB_HOST"), "flag");
}

TEST_F(LoadSettings, TakesAnEmptyVariableForNone) {
  const auto config = write("a.yaml", "db_host: in-file\n");
  const auto settings = load_settings(
      sources_of({{"DB_HOST", ""}, {"PORT", ""}, {"JWT_SECRET", ""}, {"JWT_SECRET_FILE", ""}}, {}, config));
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->db_host, "in-file");
  EXPECT_EQ(settings->port, 8080);
  EXPECT_FALSE(settings->given("JWT_SECRET"));
  EXPECT_TRUE(load_settings(sources_of({{"DURAGRAPH_CONFIG", ""}})));
}

TEST_F(LoadSettings, TakesAnEmptyFlagOrKeyForTheValueNone) {
  const auto config = write("a.yaml", "cors_allowed_origins: https://a.example\njwt_secret: x\n");
  const auto settings =
      load_settings(sources_of({}, {{"CORS_ALLOWED_ORIGINS", ""}, {"JWT_SECRET", ""}}, config));
  ASSERT_TRUE(settings);
  EXPECT_TRUE(settings->cors_allowed_origins.empty());
  EXPECT_EQ(settings->jwt_secret, "");
  EXPECT_EQ(from(settings, "JWT_SECRET"), "flag");
  EXPECT_THAT(wrong_of(sources_of({}, {{"DB_HOST", ""}})),
              ElementsAre("DB_HOST: must be a text that is not empty, not \"\" (flag --db-host)"));
}

TEST_F(LoadSettings, OfTheDatabaseAloneLooksAtNothingElse) {
  const auto sources = sources_of({{"PORT", "80a"}, {"DB_HOST", "h"}, {"DURAGRAPH_TLS_CERT", "/not/there"}});
  EXPECT_FALSE(load_settings(sources));
  const auto settings = load_database_settings(sources);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->db_host, "h");
  EXPECT_EQ(settings->db_port, 5432);
  const auto wrong = load_database_settings(sources_of({{"DB_PORT", "x"}, {"PORT", "80a"}}));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "DB_PORT: must be a port from 1 to 65535, not \"x\" (environment)");
}

TEST_F(LoadSettings, NamesEverythingThatIsWrongAtOnce) {
  const auto config = write("a.yaml", "# ours\nport: 80a\ndb_hots: x\nauth_enabled: [yes]\n");
  const auto wrong = wrong_of(sources_of({{"RATE_LIMIT_BURST", "0"}}, {{"DB_PORT", "x"}}, config));
  EXPECT_THAT(wrong, testing::UnorderedElementsAre(
                         "PORT: must be a port from 0 to 65535, not \"80a\" (file " + config + ", line 2)",
                         "db_hots: is no setting; did you mean db_host? (file " + config + ", line 3)",
                         "auth_enabled: must be one value (file " + config + ", line 4)",
                         "DB_PORT: must be a port from 1 to 65535, not \"x\" (flag --db-port)",
                         "RATE_LIMIT_BURST: must be a whole number, 1 or more, not \"0\" (environment)"));
  EXPECT_THAT(load_settings(sources_of({{"PORT", "x"}, {"DB_PORT", "x"}})).error().message,
              testing::StartsWith("2 settings are wrong:\n  PORT: "));
}

TEST_F(LoadSettings, SaysNothingOfAWrongValueThatIsNotUsed) {
  EXPECT_THAT(wrong_of(sources_of({{"PORT", "x"}}, {{"PORT", "1"}})), ElementsAre());
}

TEST_F(LoadSettings, NeverTellsASecret) {
  const auto secret = write("hidden", "cret one");
  const auto wrong = load_settings(sources_of({{"DURAGRAPH_WORKER_TOKEN_FILE", secret},
                                               {"DATABASE_URL", "postgres://me:cret%zz@h/db"},
                                               {"NATS_URL", "nats://me:cret,x@h:1"}}));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().fields.size(), 3);
  EXPECT_THAT(wrong.error().message, Not(HasSubstr("cret")));
}

TEST_F(LoadSettings, ReadsSecretsFromFiles) {
  const auto value_of = [&](const std::string& text) {
    return load_settings(sources_of({{"JWT_SECRET_FILE", write("secret", text)}})).value().jwt_secret;
  };
  EXPECT_EQ(value_of("abc"), "abc");
  EXPECT_EQ(value_of("abc\n"), "abc");
  EXPECT_EQ(value_of("abc\r\n"), "abc");
  EXPECT_EQ(value_of(" abc\n\n"), " abc\n");
  const auto url = write("url", "postgres://me:p@h/db\n");
  EXPECT_EQ(load_settings(sources_of({{"DATABASE_URL_FILE", url}}))->database_url, "postgres://me:p@h/db");
  EXPECT_TRUE(load_settings(sources_of({{"PORT_FILE", "/nowhere"}})));  // no secret, so no such setting
}

TEST_F(LoadSettings, RefusesSecretFilesThatHoldNone) {
  EXPECT_THAT(wrong_of(sources_of({{"JWT_SECRET_FILE", "/nowhere/s"}})),
              ElementsAre("JWT_SECRET_FILE: /nowhere/s cannot be read: No such file or directory"));
  const auto empty = write("empty", "\n");
  EXPECT_THAT(wrong_of(sources_of({{"JWT_SECRET_FILE", empty}})),
              ElementsAre("JWT_SECRET_FILE: " + empty + " is empty"));
  EXPECT_THAT(wrong_of(sources_of({{"JWT_SECRET_FILE", folder_.path().string()}})),
              ElementsAre("JWT_SECRET_FILE: " + folder_.path().string() + " cannot be read: it is a folder"));
  const auto large = write("large", std::string(70000, 'x'));
  EXPECT_THAT(wrong_of(sources_of({{"JWT_SECRET_FILE", large}})),
              ElementsAre("JWT_SECRET_FILE: " + large + " cannot be read: it has more than 65536 bytes"));
}

TEST_F(LoadSettings, RefusesASecretThatIsThereTwice) {
  EXPECT_THAT(wrong_of(sources_of({{"JWT_SECRET", "a"}, {"JWT_SECRET_FILE", write("secret", "a")}})),
              ElementsAre("JWT_SECRET: is set beside JWT_SECRET_FILE; unset one of them (environment)"));
}

TEST_F(LoadSettings, ReadsEveryKindOfValueFromTheFile) {
  const auto config = write("a.yaml",
                            "port: 1234\nauth_enabled: on\nrate_limit_rps: 2.5\ndb_password: '0123'\n"
                            "nats_url:\n  - nats://a:1\n  - nats://b:2\ntrusted_proxies: 10.0.0.0/8, ::1\n");
  const auto settings = load_settings(sources_of({{"DURAGRAPH_CONFIG", config}}));
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->port, 1234);
  EXPECT_TRUE(settings->auth_enabled);
  EXPECT_EQ(settings->rate_limit_rps, 2.5);
  EXPECT_EQ(settings->db_password, "0123");
  EXPECT_EQ(settings->nats_url, (Texts{"nats://a:1", "nats://b:2"}));
  EXPECT_EQ(settings->trusted_proxies.size(), 2);
}

TEST_F(LoadSettings, TakesJsonAndAnEmptyFile) {
  EXPECT_EQ(
      load_settings(sources_of({}, {}, write("a.json", R"({"port": 1, "nats_url": ["nats://a"]})")))->port,
      1);
  EXPECT_TRUE(load_settings(sources_of({}, {}, write("empty.yaml", "# nothing\n"))));
}

TEST_F(LoadSettings, PrefersTheFileThatAFlagNames) {
  const auto one = write("one.yaml", "port: 1\n");
  const auto two = write("two.yaml", "port: 2\n");
  EXPECT_EQ(load_settings(sources_of({{"DURAGRAPH_CONFIG", one}}, {}, two))->port, 2);
}

TEST_F(LoadSettings, SuggestsTheKeyThatWasMeant) {
  const auto said = [&](const std::string& key) {
    const auto wrong = wrong_of(sources_of({}, {}, write("a.yaml", key + ": 1\n")));
    return wrong.empty() ? "" : wrong.front().substr(0, wrong.front().find(" (file"));
  };
  EXPECT_EQ(said("DB_HOST"), "DB_HOST: is no setting; did you mean db_host?");
  EXPECT_EQ(said("duragraph_worker_token"),
            "duragraph_worker_token: is no setting; did you mean worker_token?");
  EXPECT_EQ(said("db-name"), "db-name: is no setting; did you mean db_name?");
  EXPECT_EQ(said("prot"), "prot: is no setting; did you mean port?");
  EXPECT_EQ(said("something"), "something: is no setting");
}

TEST_F(LoadSettings, RefusesAFileThatIsNone) {
  EXPECT_THAT(wrong_of(sources_of({}, {}, "/nowhere/a.yaml")),
              ElementsAre("--config: /nowhere/a.yaml cannot be read: No such file or directory"));
  EXPECT_THAT(wrong_of(sources_of({{"DURAGRAPH_CONFIG", "/nowhere/a.yaml"}})),
              ElementsAre("DURAGRAPH_CONFIG: /nowhere/a.yaml cannot be read: No such file or directory"));
  const auto broken = write("broken.yaml", "port: 1\ndb_host: [a\n");
  EXPECT_THAT(wrong_of(sources_of({}, {}, broken)),
              ElementsAre(testing::StartsWith("--config: " + broken + " is no YAML: line ")));
  for (const auto* const text : {"- port\n", "port\n", "port: 1\n---\nport: 2\n"})
    EXPECT_THAT(wrong_of(sources_of({}, {}, write("list.yaml", text))),
                ElementsAre(testing::EndsWith("list.yaml must hold lines such as \"port: 8080\"")));
  const auto twice = write("twice.yaml", "port: 1\nport: 2\n");
  EXPECT_THAT(wrong_of(sources_of({}, {}, twice)),
              ElementsAre("port: is there twice (file " + twice + ", line 2)"));
}

// Otherwise a secret would quietly become its default.
TEST_F(LoadSettings, RefusesSecretsThatYamlReadsOtherwise) {
  for (const auto* const text : {"", "!cret", "!cret x", "&cret", "# cret", "~", "null"}) {
    const auto config = write("a.yaml", fmt::format("db_password: {}\n", text));
    EXPECT_THAT(
        wrong_of(sources_of({}, {}, config)),
        ElementsAre(
            "db_password: has no value that YAML can read; put it in quotes, or leave the line out (file " +
            config + ", line 1)"))
        << text;
  }
  const auto alias = write("alias.yaml", "db_password: *cret\n");
  EXPECT_THAT(
      wrong_of(sources_of({}, {}, alias)),
      ElementsAre("--config: " + alias + " is no YAML: line 1: the referenced anchor is not defined"));
  for (const auto* const text : {"'!cret'", "\"!cret\"", "!!str '!cret'"})
    EXPECT_EQ(load_settings(sources_of({}, {}, write("a.yaml", fmt::format("db_password: {}\n", text))))
                  ->db_password,
              "!cret");
}

TEST_F(LoadSettings, NamesARelativeFileInFull) {
  const auto settings = load_settings(sources_of({}, {}, "nowhere.yaml"));
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message,
              HasSubstr((std::filesystem::current_path() / "nowhere.yaml").string() + " cannot be read"));
}

TEST_F(LoadSettings, WantsWhatBelongsTogether) {
  const auto pem = write("a.pem", "x");
  EXPECT_THAT(
      wrong_of(sources_of({{"DURAGRAPH_TLS_CERT", pem}, {"DURAGRAPH_NATS_TLS_KEY", pem}})),
      ElementsAre("DURAGRAPH_TLS_KEY: must be set together with DURAGRAPH_TLS_CERT (environment)",
                  "DURAGRAPH_NATS_TLS_CERT: must be set together with DURAGRAPH_NATS_TLS_KEY (environment)"));
  EXPECT_THAT(
      wrong_of(sources_of({{"DURAGRAPH_NATS_USER", "me"}})),
      ElementsAre("DURAGRAPH_NATS_PASSWORD: must be set together with DURAGRAPH_NATS_USER (environment)"));
  EXPECT_THAT(
      wrong_of(sources_of({{"DURAGRAPH_NATS_TOKEN", "t"}, {"DURAGRAPH_NATS_CREDENTIALS", pem}})),
      ElementsAre("DURAGRAPH_NATS_CREDENTIALS: DURAGRAPH_NATS_CREDENTIALS, DURAGRAPH_NATS_TOKEN are set: "
                  "choose one way to log in"));
  EXPECT_THAT(wrong_of(sources_of({{"DURAGRAPH_TLS_CERT", pem}, {"DURAGRAPH_TLS_KEY", pem}})), ElementsAre());
}

}  // namespace
}  // namespace dg::cli
