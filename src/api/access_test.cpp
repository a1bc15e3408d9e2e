#include "api/access.hpp"

#include <gmock/gmock.h>

#include "api/api_testing.hpp"

namespace dg::api::testing {
namespace {

using net::Method;
using ::testing::HasSubstr;

TEST(LoopbackHost, NamesThisMachineOnly) {
  for (const auto* host : {"localhost", "localhost:2024", "LOCALHOST", "agent.localhost:1", "127.0.0.1",
                           "127.0.0.1:80", "127.8.9.1", "[::1]", "[::1]:2024"})
    EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const auto* host : {"", "example.com", "localhost.example.com", "127.0.0.1.example.com",
                           "notlocalhost", "10.0.0.1", "0.0.0.0", "[::2]", "[::1", "::1", "1270.0.0.1",
                           "127.0.0.1.nip.io", "example.com:127.0.0.1", "[::1].example.com"})
    EXPECT_FALSE(is_loopback_host(host)) << host;
}

TEST(AllowedOrigin, IsLoopbackStudioOrListed) {
  Access access;
  for (const auto* origin : {"http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443",
                             "https://smith.langchain.com", "https://eu.smith.langchain.com"})
    EXPECT_TRUE(is_allowed_origin(access, origin)) << origin;
  for (const auto* origin :
       {"null", "", "https://example.com", "http://smith.langchain.com", "https://evilsmith.langchain.com",
        "https://smith.langchain.com.example.com", "http://localhost.example.com"})
    EXPECT_FALSE(is_allowed_origin(access, origin)) << origin;
  access.origins = {"https://app.example.com"};
  EXPECT_TRUE(is_allowed_origin(access, "https://app.example.com"));
  EXPECT_FALSE(is_allowed_origin(access, "https://app.example.com:8080"));
  access.origins = {"*"};
  EXPECT_TRUE(is_allowed_origin(access, "https://anything.example"));
}

class AccessTest : public ApiTest {
 protected:
  net::Response preflight(std::string origin, net::Headers more = {}) {
    more.emplace_back("Origin", std::move(origin));
    more.emplace_back("Access-Control-Request-Method", "POST");
    return call(Method::options, "/threads", "", std::move(more));
  }
};

TEST_F(AccessTest, OtherHostNamesAreRefused) {
  EXPECT_EQ(get("/ok", {{"Host", "127.0.0.1:2024"}}).status, 200);
  const auto refused = get("/ok", {{"Host", "rebound.example.com:2024"}});
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(text_at(refused, "code"), "forbidden");
  EXPECT_EQ(get("/ok").status, 200);  // HTTP/1.0, as some probes still speak
}

TEST_F(AccessTest, AForeignPageMayNotWrite) {
  const net::Headers foreign{{"Origin", "https://example.com"}};
  const auto refused = post("/threads", "{}", foreign);
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(text_at(refused, "detail"), HasSubstr("https://example.com"));
  EXPECT_EQ(call(Method::del, "/threads/x", "", foreign).status, 403);
  EXPECT_EQ(post("/threads", "{}", {{"Origin", "null"}}).status, 403);
  EXPECT_EQ(post("/threads/count", "{}").body, "0") << "nothing was made";
}

TEST_F(AccessTest, AForeignPageCannotReadWhatItAsksFor) {
  const auto answer = get("/info", {{"Origin", "https://example.com"}});
  EXPECT_EQ(header(answer, "Access-Control-Allow-Origin"), std::nullopt);
}

TEST_F(AccessTest, AnAllowedPageReadsTheAnswerAndItsHeaders) {
  const auto answer = post("/threads", "{}", {{"Origin", "http://localhost:3000"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(header(answer, "Access-Control-Allow-Origin"), "http://localhost:3000");
  EXPECT_EQ(header(answer, "Vary"), "Origin");
  EXPECT_THAT(*header(answer, "Access-Control-Expose-Headers"), HasSubstr("Content-Location"));
}

TEST_F(AccessTest, APreflightIsAnsweredForAllowedPagesOnly) {
  const auto allowed = preflight("https://smith.langchain.com",
                                 {{"Access-Control-Request-Headers", "content-type,x-api-key"}});
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(header(allowed, "Access-Control-Allow-Origin"), "https://smith.langchain.com");
  EXPECT_EQ(header(allowed, "Access-Control-Allow-Headers"), "content-type,x-api-key");
  EXPECT_THAT(*header(allowed, "Access-Control-Allow-Methods"), HasSubstr("DELETE"));
  EXPECT_EQ(header(allowed, "Access-Control-Allow-Private-Network"), std::nullopt);

  const auto foreign = preflight("https://example.com");
  EXPECT_NE(foreign.status, 204);
  EXPECT_EQ(header(foreign, "Access-Control-Allow-Origin"), std::nullopt);
}

// Studio is a public page that asks this machine, which browsers ask leave for.
TEST_F(AccessTest, APrivateNetworkPreflightIsGranted) {
  const net::Headers asks{{"Access-Control-Request-Private-Network", "true"}};
  EXPECT_EQ(header(preflight("https://smith.langchain.com", asks), "Access-Control-Allow-Private-Network"),
            "true");
  EXPECT_EQ(header(preflight("https://example.com", asks), "Access-Control-Allow-Private-Network"),
            std::nullopt);
}

class OpenAccessTest : public ApiTest {
 protected:
  OpenAccessTest() : ApiTest({.loopback_only = false, .origins = {"https://app.example.com"}}) {}
};

TEST_F(OpenAccessTest, AServerForOthersAnswersAnyHostAndTheListedOrigins) {
  EXPECT_EQ(get("/ok", {{"Host", "agents.example.com"}}).status, 200);
  EXPECT_EQ(
      post("/threads", "{}", {{"Host", "agents.example.com"}, {"Origin", "https://app.example.com"}}).status,
      200);
  EXPECT_EQ(
      post("/threads", "{}", {{"Host", "agents.example.com"}, {"Origin", "https://example.com"}}).status,
      403);
}

}  // namespace
}  // namespace dg::api::testing
