// The rate limit as clients of the API meet it.
#include "api/request_limit.hpp"

#include <gmock/gmock.h>

#include "api/api_testing.hpp"
#include "api/worker/endpoint.hpp"

namespace dg::api::testing {
namespace {

using net::Method;
using ::testing::HasSubstr;

constexpr const char* unknown_thread = "/threads/018f0000-0000-7000-8000-000000000000";

// Tokens are users' names. "bad" is refused.
Task<Status> authenticate(net::Request& request) {
  const auto token = request.header("Authorization");
  if (!token || *token == "bad") co_return fail(Errc::unauthorized, "the token is missing or wrong");
  request.user = std::string(*token);
  request.role = "editor";
  co_return Status{};
}

class RequestLimitTest : public ApiTest {
 protected:
  explicit RequestLimitTest(Authenticate authenticate = {})
      : ApiTest(ApiSettings{.access = {},
                            .rate_limit = RateLimits{.rps = 1, .burst = 5},
                            .trusted_proxies = {net::parse_network("10.0.0.0/8").value()},
                            .authenticate = std::move(authenticate)}) {
    worker::add_worker_endpoint(api_.router(), server_.app(), worker_token_, api_.limit());
  }

  static std::string remaining(const net::Response& response) {
    return header(response, "X-RateLimit-Remaining").value_or("none");
  }
  // What the client of the next requests has left, of five.
  std::string remaining_of(const char* address, net::Headers headers = {}) {
    peer_ = boost::asio::ip::make_address(address);
    return remaining(get("/info", std::move(headers)));
  }
  // The status with which a worker's upgrade is refused; 101 when it is not.
  net::Response connect(net::Headers headers) {
    net::Request request;
    request.path = request.target = "/api/v1/workers/connect";
    request.headers = std::move(headers);
    request.peer = peer_;
    const auto match = api_.router().match(request);
    net::Response upgraded;
    upgraded.status = 101;
    return server_.wait((*match.ws_gate)(request)).value_or(upgraded);
  }
  void exhaust() {
    while (get("/info").status != 429) {
    }
  }

  std::string worker_token_ = "secret-token";
};

TEST_F(RequestLimitTest, EveryAnswerOfALimitedRouteTells) {
  const auto expect = [](const net::Response& answer, int status, const std::string& left) {
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(header(answer, "X-RateLimit-Limit"), "5");
    EXPECT_EQ(remaining(answer), left) << status;
    EXPECT_EQ(header(answer, "Retry-After"), std::nullopt);
  };
  expect(get("/info"), 200, "4");
  expect(get(unknown_thread), 404, "3");
  expect(get("/nothing/here"), 404, "2");
  expect(call(Method::put, "/threads", "{}"), 405, "1");
  expect(post("/threads", "[]"), 422, "0");
  server_.world.timers.run_for(std::chrono::seconds(5));
  expect(get("/info", {{"Host", "rebound.example.com"}}), 403, "4");
  expect(post("/threads", "{}", {{"Origin", "https://example.com"}}), 403, "3");
}

TEST_F(RequestLimitTest, TheHeadOfAStreamTells) {
  const auto answer = post("/runs/stream", R"({"assistant_id":"agent"})");
  EXPECT_TRUE(answer.stream != nullptr);
  EXPECT_EQ(remaining(answer), "4");
}

TEST_F(RequestLimitTest, AServersOwnMistakeTells) {
  api_.router().add(Method::get, "/bug",
                    [](net::Request&) -> Task<net::Response> { throw std::runtime_error("a bug"); });
  log::set_level(log::Level::off);
  const auto answer = get("/bug");
  log::set_level(log::Level::error);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(remaining(answer), "4");
}

TEST_F(RequestLimitTest, WhatHttpRefusesTellsAndCosts) {
  net::Request request;
  request.target = "/threads";
  request.peer = peer_;
  for (const auto& [status, left] : {std::pair(413, "4"), std::pair(431, "3"), std::pair(408, "2")}) {
    request.refused_with = status;
    const auto answer = api_.refusal(request, {status == 408 ? Errc::timeout : Errc::too_large, "", {}});
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(remaining(answer), left);
  }
  for (const auto* target : {"", "/health", "/api/v1/ok?check_db=1"}) {
    request.target = target;
    EXPECT_EQ(remaining(api_.refusal(request, {Errc::bad_request, "", {}})), "none") << target;
  }
}

TEST_F(RequestLimitTest, ARefusalSaysWhenToComeBack) {
  exhaust();
  const auto refused = get("/api/v1/info");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(header(refused, "Retry-After"), "1");
  EXPECT_EQ(header(refused, "X-RateLimit-Limit"), "5");
  EXPECT_EQ(remaining(refused), "0");
  const json::View body(refused.body);
  EXPECT_EQ(body["status"].integer(), 429);
  EXPECT_EQ(body["code"].string(), "limited");
  EXPECT_EQ(body["error"].string(), "limited");
  EXPECT_EQ(body["retry_after"].integer(), 1);
  EXPECT_EQ(body["request_id"].string(), "request-1");
  EXPECT_THAT(body["detail"].string(), HasSubstr("1 per second"));
  server_.world.timers.run_for(std::chrono::seconds(1));
  EXPECT_EQ(get("/info").status, 200);
}

TEST_F(RequestLimitTest, ARefusedRequestDoesNothing) {
  exhaust();
  EXPECT_EQ(post("/threads", "{}").status, 429);
  server_.world.timers.run_for(std::chrono::seconds(5));
  EXPECT_EQ(post("/threads/count", "{}").body, "0");
}

TEST_F(RequestLimitTest, ProbesAndPreflightsAreFree) {
  exhaust();
  for (const std::string prefix : {"", "/api/v1"}) {
    for (const std::string path :
         {"/ok", "/health", "/metrics", "/health/", "/he%61lth", "/livez", "/readyz"}) {
      const auto answer = get(prefix + path);
      EXPECT_EQ(answer.status, 200) << path;
      EXPECT_EQ(header(answer, "X-RateLimit-Limit"), std::nullopt) << path;
      EXPECT_EQ(remaining(answer), "none") << path;
    }
  }
  EXPECT_EQ(call(Method::post, "/health").status, 405);
  for (const auto* origin : {"http://localhost:3000", "https://example.com"}) {
    const auto answer = call(Method::options, "/threads", "",
                             {{"Origin", origin}, {"Access-Control-Request-Method", "POST"}});
    EXPECT_NE(answer.status, 429) << origin;
    EXPECT_EQ(remaining(answer), "none") << origin;
  }
  EXPECT_EQ(call(Method::options, "/threads").status, 429) << "without a page it is a request as any other";
  EXPECT_EQ(get("/healthy").status, 429);
}

TEST_F(RequestLimitTest, PagesMayReadTheHeaders) {
  const net::Headers page{{"Origin", "http://localhost:3000"}};
  const auto readable = [](const net::Response& answer) {
    const auto exposed = header(answer, "Access-Control-Expose-Headers").value_or("");
    EXPECT_THAT(exposed, HasSubstr("X-RateLimit-Limit"));
    EXPECT_THAT(exposed, HasSubstr("X-RateLimit-Remaining"));
    EXPECT_THAT(exposed, HasSubstr("Retry-After"));
  };
  readable(get("/info", page));
  exhaust();
  const auto refused = get("/info", page);
  EXPECT_EQ(refused.status, 429);
  readable(refused);
  net::Request broken;
  broken.target = "/threads";
  broken.headers = page;
  readable(api_.refusal(broken, {Errc::too_large, "", {}}));
}

TEST_F(RequestLimitTest, ClientsAreToldApartByTheirAddress) {
  EXPECT_EQ(remaining_of("192.0.2.7"), "4");
  EXPECT_EQ(remaining_of("192.0.2.8"), "4");
  EXPECT_EQ(remaining_of("192.0.2.7"), "3");
  EXPECT_EQ(remaining_of("2001:db8::1"), "4");
  EXPECT_EQ(remaining_of("2001:db8::2"), "3");
  EXPECT_EQ(remaining_of("2001:db8:0:1::2"), "4");
}

TEST_F(RequestLimitTest, ForwardedHeadersCountFromTrustedProxiesOnly) {
  for (const auto* left : {"4", "3", "2"})
    EXPECT_EQ(remaining_of("192.0.2.7", {{"X-Forwarded-For", std::string("203.0.113.") + left}}), left);
  EXPECT_EQ(remaining_of("10.0.0.1", {{"X-Forwarded-For", "203.0.113.1"}}), "4");
  EXPECT_EQ(remaining_of("10.0.0.2", {{"X-Forwarded-For", "1.1.1.1, 203.0.113.1"}}), "3");
  EXPECT_EQ(remaining_of("10.0.0.2", {{"X-Forwarded-For", "2.2.2.2, 203.0.113.1"}}), "2");
}

TEST_F(RequestLimitTest, MetricsTellOfItsTable) {
  exhaust();
  const auto metrics = get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("duragraph_rate_limit_entries 1"));
  EXPECT_THAT(metrics, HasSubstr("duragraph_rate_limit_refusals_total 1"));
  EXPECT_THAT(metrics, HasSubstr("duragraph_rate_limit_evictions_total 0"));
  EXPECT_THAT(metrics, HasSubstr("status=\"429\""));
}

TEST_F(RequestLimitTest, WorkersAreCountedEachAndRefusedTokensByAddress) {
  const auto worker = [&](const char* session) {
    return connect({{"Authorization", "Bearer secret-token"}, {"X-Duragraph-Session", session}}).status;
  };
  exhaust();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(worker("one"), 101);
    EXPECT_EQ(worker("two"), 101);
    EXPECT_EQ(connect({{"Authorization", "Bearer secret-token"}}).status, 101);
  }
  EXPECT_EQ(worker("one"), 429);
  EXPECT_EQ(connect({{"Authorization", "Bearer secret-token"}}).status, 429);
  EXPECT_EQ(connect({{"Authorization", "Bearer wrong"}}).status, 429);
  peer_ = boost::asio::ip::make_address("192.0.2.9");
  const auto refused = connect({{"Authorization", "Bearer wrong"}, {"X-Duragraph-Session", "three"}});
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(remaining(refused), "4");
  EXPECT_EQ(text_at(refused, "code"), "unauthorized");
  EXPECT_EQ(remaining_of("192.0.2.9"), "3") << "a guess at a token is charged to its address";
}

class AuthenticatedLimitTest : public RequestLimitTest {
 protected:
  AuthenticatedLimitTest() : RequestLimitTest(authenticate) {}
};

TEST_F(AuthenticatedLimitTest, UsersAreCountedWhereverTheyAre) {
  EXPECT_EQ(remaining_of("192.0.2.7", {{"Authorization", "ann"}}), "4");
  EXPECT_EQ(remaining_of("192.0.2.8", {{"Authorization", "ann"}}), "3");
  EXPECT_EQ(remaining_of("192.0.2.8", {{"Authorization", "bob"}}), "4");
}

TEST_F(AuthenticatedLimitTest, ARefusedTokenIsChargedToItsAddress) {
  const net::Headers bad{{"Authorization", "bad"}};
  for (const auto* left : {"4", "3", "2", "1", "0"}) {
    const auto refused = get("/info", bad);
    EXPECT_EQ(refused.status, 401);
    EXPECT_EQ(remaining(refused), left);
  }
  EXPECT_EQ(get("/info", bad).status, 429);
  EXPECT_EQ(get("/info", {{"Authorization", "ann"}}).status, 200) << "others at that address are not held up";
  EXPECT_EQ(get("/health").status, 200) << "a probe needs no token";
}

class UnlimitedTest : public ApiTest {};

TEST_F(UnlimitedTest, WithoutALimitNothingIsSaidOfOne) {
  for (int i = 0; i < 50; ++i) EXPECT_EQ(get("/info").status, 200);
  EXPECT_EQ(header(get("/info"), "X-RateLimit-Limit"), std::nullopt);
  EXPECT_THAT(get("/metrics").body, ::testing::Not(HasSubstr("duragraph_rate_limit")));
}

}  // namespace
}  // namespace dg::api::testing
