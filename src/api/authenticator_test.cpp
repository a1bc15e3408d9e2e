#include "api/authenticator.hpp"

#include <gmock/gmock.h>

#include "api/auth_testing.hpp"
#include "api/worker/endpoint.hpp"

namespace dg::api::testing {
namespace {

using auth::Role;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

class AuthenticatorTest : public AuthApiTest {
 protected:
  int status(net::Headers headers) { return get("/info", std::move(headers)).status; }
};

TEST_F(AuthenticatorTest, WhoShowsNothingIsRefused) {
  const auto answer = get("/info");
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(header(answer, "WWW-Authenticate"), "Bearer");
  EXPECT_EQ(get("/nothing/here").status, 401) << "what there is, is nobody's business either";
  EXPECT_EQ(status(as("ann")), 200);
  EXPECT_EQ(status({{"authorization", "bearer " + token("ann")}}), 200);
  EXPECT_EQ(status({{"x-api-key", make_key("ann")}}), 200);
  EXPECT_EQ(status(bearer(make_key("ann"))), 200);
  EXPECT_EQ(status({{"x-api-key", token("ann")}}), 200);
}

TEST_F(AuthenticatorTest, EveryRefusalReadsTheSame) {
  const auto body = get("/info").body;
  const auto over =
      auth::mint_token(secret, {"ann", Role::editor}, {}, server_.world.clock.now() - std::chrono::hours(2),
                       std::chrono::hours(1));
  const auto key = make_key("ann");
  const auto revoked = make_key("ann", "editor", [](store::ApiKey& k) { k.revoked_at = k.created_at; });
  const auto expired = make_key("ann", "editor", [](store::ApiKey& k) { k.expires_at = k.created_at; });
  const auto odd = make_key("ann", "root");
  auto wrong = key;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  auto unknown = key;
  unknown[4] = unknown[4] == '0' ? '1' : '0';
  const auto other = auth::mint_token("another secret of 32 bytes or so", {"ann", Role::editor}, {},
                                      server_.world.clock.now(), std::chrono::hours(1));
  for (const auto& shown :
       {std::string("x"), over, other, revoked, expired, odd, wrong, unknown, key + "0"}) {
    const auto answer = get("/info", bearer(shown));
    EXPECT_EQ(answer.status, 401) << shown;
    EXPECT_EQ(answer.body, body) << shown;
  }
  for (const net::Headers& headers :
       {net::Headers{{"Authorization", "Basic YTpi"}}, net::Headers{{"Authorization", "Bearer"}},
        net::Headers{{"Authorization", "Bearer "}}, net::Headers{{"x-api-key", ""}}})
    EXPECT_EQ(get("/info", headers).body, body);
}

TEST_F(AuthenticatorTest, OneHeaderDecides) {
  const auto good = "Bearer " + token("ann");
  EXPECT_EQ(status({{"Authorization", good}, {"x-api-key", "a key for another service"}}), 200);
  EXPECT_EQ(status({{"Authorization", "Bearer x"}, {"x-api-key", make_key("ann")}}), 401);
  EXPECT_EQ(status({{"Authorization", "Basic YTpi"}, {"x-api-key", make_key("ann")}}), 200);
  EXPECT_EQ(status({{"Authorization", good}, {"Authorization", good}}), 401) << "others may read another one";
  EXPECT_EQ(status({{"x-api-key", token("ann")}, {"x-api-key", token("ann")}}), 401);
}

TEST_F(AuthenticatorTest, ProbesNeedNothing) {
  for (const auto* const path :
       {"/ok", "/health", "/livez", "/readyz", "/metrics", "/api/v1/ok", "/api/v1/metrics"})
    EXPECT_EQ(get(path).status, 200) << path;
}

TEST_F(AuthenticatorTest, ARevokedKeyEndsWithinSeconds) {
  const auto key = make_key("ann");
  EXPECT_EQ(status(bearer(key)), 200);
  apply(store::RevokeApiKey{auth::parse_api_key(key)->id});
  server_.pass(seconds(5));
  EXPECT_EQ(status(bearer(key)), 401);
}

TEST_F(AuthenticatorTest, AKeyEndsAtItsTime) {
  const auto key =
      make_key("ann", "editor", [](store::ApiKey& k) { k.expires_at = k.created_at + seconds(2); });
  EXPECT_EQ(status(bearer(key)), 200);
  server_.pass(seconds(3));
  EXPECT_EQ(status(bearer(key)), 401);
}

TEST_F(AuthenticatorTest, TheUseOfAKeyIsNotedNowAndThen) {
  const auto key = make_key("ann");
  const auto id = auth::parse_api_key(key)->id;
  const auto used = [&] {
    server_.settle();
    return server_.get(server_.store().api_key(id)).value().last_used_at;
  };
  EXPECT_FALSE(used());
  EXPECT_EQ(status(bearer(key)), 200);
  const auto first = used();
  EXPECT_TRUE(first);
  server_.pass(minutes(1));
  EXPECT_EQ(status(bearer(key)), 200);
  EXPECT_EQ(used(), first);
  server_.pass(minutes(5));
  EXPECT_EQ(status(bearer(key)), 200);
  EXPECT_GT(used(), first);
}

TEST_F(AuthenticatorTest, WhoeverCannotBeLookedUpIsNotRefused) {
  const auto key = make_key("ann");
  server_.app().health.set_not_ready("the database is away");
  EXPECT_EQ(status(bearer(key)), 503);
}

TEST(KeyCacheTest, IsBounded) {
  app::testing::TestServer server;
  KeyCache cache(server.app().context, {.entries = 10});
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(server.get(cache.find(std::to_string(i))));
    EXPECT_LE(cache.size(), 10U);
  }
}

class JwksAuthTest : public AuthApiTest {
 protected:
  JwksAuthTest() : AuthApiTest({.jwks_source = "there", .jwks = [] { return fetch(); }}) {
    log::set_level(log::Level::off);
  }
  ~JwksAuthTest() override { log::set_level(log::Level::error); }
  static Task<Result<std::string>> fetch() { co_return fail(Errc::unavailable, "nobody answers"); }
};

TEST_F(JwksAuthTest, WithoutKeysNobodyCanTell) {
  EXPECT_EQ(get("/info", as("ann")).status, 503);
  EXPECT_EQ(get("/info", bearer("x")).status, 401) << "it is no token, whatever the keys are";
  EXPECT_EQ(get("/info", bearer(make_key("ann"))).status, 200);
}

// The worker endpoint asks by itself.
class WorkerGateTest : public AuthApiTest {
 protected:
  WorkerGateTest() {
    worker::add_worker_endpoint(
        api_.router(), server_.app(), token_, nullptr,
        [this](const net::Request& request) { return authenticator_->identify(request); });
  }
  // The status of the refusal; 0 where there is none.
  int gate(net::Headers headers) {
    net::Request request;
    request.path = request.target = "/api/v1/workers/connect";
    request.headers = std::move(headers);
    const auto match = api_.router().match(request);
    const auto refused = server_.wait((*match.ws_gate)(request));
    return refused ? refused->status : 0;
  }

  std::string token_ = "the-worker-token";
};

TEST_F(WorkerGateTest, AWorkerHasTheTokenOrTheRole) {
  EXPECT_EQ(gate(bearer("the-worker-token")), 0);
  EXPECT_EQ(gate(as("w", Role::worker)), 0);
  EXPECT_EQ(gate(as("root", Role::admin)), 0);
  EXPECT_EQ(gate(bearer(make_key("w", "worker"))), 0);
  EXPECT_EQ(gate({{"x-api-key", make_key("w", "worker")}}), 0);
  EXPECT_EQ(gate(as("ann", Role::editor)), 403);
  EXPECT_EQ(gate(bearer(make_key("ann", "viewer"))), 403);
  EXPECT_EQ(gate(bearer("another")), 401);
  EXPECT_EQ(gate({}), 401);
  auto from_page = as("w", Role::worker);
  from_page.emplace_back("Origin", "http://localhost:3000");
  EXPECT_EQ(gate(from_page), 403);
  token_.clear();
  EXPECT_EQ(gate(bearer("")), 401) << "no token is nobody's token";
  EXPECT_EQ(gate(as("w", Role::worker)), 0);
}

}  // namespace
}  // namespace dg::api::testing
