#include "cli/server/authentication.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "base/scratch_folder.hpp"
#include "base/system_world.hpp"
#include "cli/config/testing.hpp"

namespace dg::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* long_secret = "0123456789abcdef0123456789abcdef";

class AuthenticationTest : public ::testing::Test {
 protected:
  Result<Authentication> made(Variables variables) {
    return authentication_of(settings_of(std::move(variables)), world_.io.get_executor());
  }
  std::string file(const std::string& name, const std::string& text) {
    const auto path = (folder_.path() / name).string();
    std::ofstream(path) << text;
    return path;
  }

  SystemWorld world_;
  ScratchFolder folder_{"authentication"};
};

TEST_F(AuthenticationTest, ClientsAreAskedWhereSomethingChecksWhatTheyShow) {
  EXPECT_FALSE(made({})->ask_clients);
  const auto nothing = made({{"AUTH_ENABLED", "true"}});
  EXPECT_EQ(nothing.error().code, Errc::invalid_argument);
  for (const auto* const name :
       {"AUTH_ENABLED", "JWT_SECRET", "DURAGRAPH_JWT_PUBLIC_KEY", "DURAGRAPH_JWT_JWKS"})
    EXPECT_THAT(nothing.error().message, HasSubstr(name));
  EXPECT_TRUE(made({{"AUTH_ENABLED", "true"}, {"JWT_SECRET", long_secret}})->ask_clients);
  EXPECT_TRUE(
      made({{"AUTH_ENABLED", "true"}, {"DURAGRAPH_JWT_JWKS", "https://id.example/jwks.json"}})->tokens.jwks);
}

TEST_F(AuthenticationTest, FilesThatCannotBeUsedAreNamed) {
  const auto odd = file("odd", "{}");
  for (const auto* const name : {"DURAGRAPH_JWT_PUBLIC_KEY", "DURAGRAPH_JWT_JWKS"}) {
    const auto refused = made({{name, odd}});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr(name));
    EXPECT_THAT(refused.error().message, HasSubstr(odd));
  }
}

TEST_F(AuthenticationTest, TheRulesAreThoseOfTheSettings) {
  auto rules = token_rules(settings_of({}));
  EXPECT_EQ(rules.default_role, auth::Role::editor);
  EXPECT_EQ(rules.leeway, std::chrono::seconds(30));
  rules = token_rules(settings_of({{"DURAGRAPH_JWT_ISSUER", "i"},
                                   {"DURAGRAPH_JWT_AUDIENCE", "a, b"},
                                   {"DURAGRAPH_JWT_LEEWAY", "0"},
                                   {"DURAGRAPH_JWT_DEFAULT_ROLE", "none"},
                                   {"DURAGRAPH_JWT_USER_CLAIM", "email"},
                                   {"DURAGRAPH_JWT_ROLE_CLAIM", "duty"}}));
  EXPECT_EQ(rules.issuer, "i");
  EXPECT_THAT(rules.audience, ElementsAre("a", "b"));
  EXPECT_EQ(rules.leeway, std::chrono::seconds(0));
  EXPECT_EQ(rules.default_role, std::nullopt);
  EXPECT_EQ(rules.user_claim, "email");
  EXPECT_EQ(rules.role_claim, "duty");
}

TEST_F(AuthenticationTest, WhatIsProbablyNotMeantIsTold) {
  const auto warnings = [](Variables variables) {
    return authentication_warnings(settings_of(std::move(variables)));
  };
  EXPECT_THAT(warnings({}), ElementsAre(HasSubstr("asks nobody")));
  EXPECT_THAT(warnings({{"HOST", "127.0.0.1"}}), IsEmpty());
  EXPECT_THAT(warnings({{"AUTH_ENABLED", "true"}, {"JWT_SECRET", long_secret}}), IsEmpty());
  EXPECT_THAT(warnings({{"AUTH_ENABLED", "true"}, {"JWT_SECRET", "short"}}),
              ElementsAre(HasSubstr("5 bytes")));
  const auto jwks = [&](const char* url) {
    return warnings({{"AUTH_ENABLED", "true"}, {"DURAGRAPH_JWT_JWKS", url}});
  };
  EXPECT_THAT(jwks("http://id.example/jwks.json"), ElementsAre(HasSubstr("https")));
  EXPECT_THAT(jwks("http://localhost:8080/jwks.json"), IsEmpty());
  EXPECT_THAT(jwks("https://id.example/jwks.json"), IsEmpty());
}

TEST_F(AuthenticationTest, FingerprintsTellSecretsApartAndNotWhatTheyAre) {
  const auto print = [](const char* secret) {
    return fingerprint_of_secret(settings_of({{"JWT_SECRET", secret}}));
  };
  EXPECT_FALSE(fingerprint_of_secret(settings_of({})));
  EXPECT_EQ(print(long_secret), print(long_secret));
  EXPECT_NE(print(long_secret), print("another"));
  EXPECT_EQ(print(long_secret)->size(), 32U);
  EXPECT_NE(*print(long_secret), sha256_hex(long_secret).substr(0, 32))
      << "no plain hash, which can be looked up";
}

TEST(JwksSetting, IsAFileOrAUrlWithoutCredentials) {
  EXPECT_FALSE(load_settings(sources_of({{"DURAGRAPH_JWT_JWKS", "/nowhere/jwks.json"}})));
  EXPECT_FALSE(load_settings(sources_of({{"DURAGRAPH_JWT_JWKS", "https://me:word@id.example/"}})));
  EXPECT_FALSE(load_settings(sources_of({{"DURAGRAPH_JWT_JWKS", "https://"}})));
  EXPECT_TRUE(load_settings(sources_of({{"DURAGRAPH_JWT_JWKS", "https://id.example/jwks.json"}})));
}

}  // namespace
}  // namespace dg::cli
