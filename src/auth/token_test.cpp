#include "auth/token.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <vector>

#include "auth/auth_testing.hpp"

namespace dg::auth {
namespace {

using ::testing::HasSubstr;
using testing::header_of;
using testing::hs256_token;
using testing::SigningKey;
using testing::unsigned_token;

constexpr const char* secret = "0123456789abcdef0123456789abcdef";
constexpr std::int64_t now_seconds = 1'800'000'000;
const WallTime now = from_micros(now_seconds * 1'000'000);

// Claims that are good for an hour, with more spliced in.
std::string claims(const std::string& more = R"("sub":"ann")") {
  return fmt::format(R"({{"exp":{},{}}})", now_seconds + 3600, more);
}

class TokenTest : public ::testing::Test {
 protected:
  // Who the token's bearer is, as "user role", or why it is refused.
  std::string look(const std::string& text) {
    const auto token = parse_token(text);
    if (!token) return token.error().message;
    if (!is_signed_by(*token, keys_)) return "not signed";
    const auto who = read_claims(*token, rules_, now);
    if (!who) {
      EXPECT_EQ(who.error().code, Errc::unauthorized);
      return who.error().message;
    }
    return who->user + " " + std::string(to_string(who->role));
  }
  std::string look_at_claims(const std::string& text) { return look(hs256_token(secret, text)); }

  std::vector<VerifyKey> keys_{VerifyKey::from_secret(secret)};
  TokenRules rules_;
};

TEST_F(TokenTest, TheUserIsUserIdElseSub) {
  EXPECT_EQ(look_at_claims(claims()), "ann editor");
  EXPECT_EQ(look_at_claims(claims(R"("sub":"ann","user_id":"bob")")), "bob editor");
  EXPECT_EQ(look_at_claims(claims(R"("sub":"ann","user_id":null)")), "ann editor");
  EXPECT_EQ(look_at_claims(claims(R"("user_id":42)")), "42 editor");
  for (const auto* const wrong :
       {R"("x":1)", R"("sub":"")", R"("sub":"ann","user_id":"")", R"("sub":["ann"])", R"("sub":"*")",
        R"("sub":"a\nb")", R"("user_id":1.5)", R"("sub":true)"})
    EXPECT_EQ(look_at_claims(claims(wrong)), "it names no user") << wrong;
  EXPECT_EQ(look_at_claims(claims(R"("sub":")" + std::string(256, 'a') + "\"")),
            std::string(256, 'a') + " editor");
  EXPECT_EQ(look_at_claims(claims(R"("sub":")" + std::string(257, 'a') + "\"")), "it names no user");
  rules_.user_claim = "email";
  EXPECT_EQ(look_at_claims(claims(R"("sub":"ann","email":"ann@x.example")")), "ann@x.example editor");
  EXPECT_EQ(look_at_claims(claims()), "it names no user");
}

TEST_F(TokenTest, TheRoleIsOneThatIsKnown) {
  for (const std::string role : {"admin", "editor", "viewer", "worker"})
    EXPECT_EQ(look_at_claims(claims(R"("sub":"ann","role":")" + role + "\"")), "ann " + role);
  EXPECT_EQ(look_at_claims(claims(R"("sub":"ann","roles":["x","viewer","editor"])")), "ann editor");
  EXPECT_EQ(look_at_claims(claims(R"("sub":"ann","role":"viewer","roles":["admin"])")), "ann viewer");
  for (const auto* const wrong :
       {R"("role":"root")", R"("role":"Admin")", R"("role":"")", R"("role":null)", R"("role":1)",
        R"("roles":[])", R"("roles":["root"])", R"("roles":[["admin"]])"})
    EXPECT_THAT(look_at_claims(claims(R"("sub":"ann",)" + std::string(wrong))), HasSubstr("role")) << wrong;
  rules_.role_claim = "duty";
  EXPECT_EQ(look_at_claims(claims(R"("sub":"ann","role":"admin","duty":"viewer")")), "ann viewer");
  EXPECT_EQ(look_at_claims(claims(R"("sub":"ann","role":"admin")")), "ann editor");
  rules_.default_role = std::nullopt;
  EXPECT_EQ(look_at_claims(claims()), "it has no role");
}

TEST_F(TokenTest, ATokenHasAnEndThatHasNotCome) {
  const auto until = [](const std::string& exp) { return R"({"sub":"ann","exp":)" + exp + "}"; };
  const auto at = [&](std::int64_t seconds) { return until(std::to_string(now_seconds + seconds)); };
  rules_.leeway = std::chrono::seconds(30);
  EXPECT_EQ(look_at_claims(at(1)), "ann editor");
  EXPECT_EQ(look_at_claims(at(-29)), "ann editor");
  EXPECT_EQ(look_at_claims(at(-30)), "it has expired");
  EXPECT_EQ(look_at_claims(until("1.5e30")), "ann editor");
  EXPECT_EQ(look_at_claims(until("-1")), "it has expired");
  EXPECT_THAT(look_at_claims(R"({"sub":"ann"})"), HasSubstr("exp"));
  EXPECT_THAT(look_at_claims(until("\"1900000000\"")), HasSubstr("exp"));
  EXPECT_THAT(look_at_claims(until("null")), HasSubstr("exp"));
}

TEST_F(TokenTest, ATokenMayHaveABeginning) {
  const auto from = [](const std::string& nbf) { return claims(R"("sub":"ann","nbf":)" + nbf); };
  rules_.leeway = std::chrono::seconds(30);
  EXPECT_EQ(look_at_claims(from(std::to_string(now_seconds + 30))), "ann editor");
  EXPECT_EQ(look_at_claims(from(std::to_string(now_seconds + 31))), "it is not valid yet");
  EXPECT_EQ(look_at_claims(from("\"soon\"")), "its `nbf` is no number");
  EXPECT_EQ(look_at_claims(from("null")), "its `nbf` is no number");
}

TEST_F(TokenTest, IssuerAndAudienceAreThoseThatAreMeant) {
  EXPECT_EQ(look_at_claims(claims(R"("sub":"ann","iss":"anybody")")), "ann editor");
  EXPECT_THAT(look_at_claims(claims(R"("sub":"ann","aud":"others")")), HasSubstr("aud"))
      << "it is addressed to somebody, and nobody said that this is us";
  rules_.issuer = "https://id.example";
  rules_.audience = {"duragraph", "agents"};
  const auto meant = [](const std::string& iss, const std::string& aud) {
    return claims(fmt::format(R"("sub":"ann","iss":{},"aud":{})", iss, aud));
  };
  const std::string issuer = R"("https://id.example")";
  EXPECT_EQ(look_at_claims(meant(issuer, R"("agents")")), "ann editor");
  EXPECT_EQ(look_at_claims(meant(issuer, R"(["x","duragraph"])")), "ann editor");
  EXPECT_THAT(look_at_claims(meant(R"("https://id.example/")", R"("agents")")), HasSubstr("iss"));
  EXPECT_THAT(look_at_claims(meant(R"(["https://id.example"])", R"("agents")")), HasSubstr("iss"));
  for (const auto* const wrong : {R"("agent")", R"([])", R"([["agents"]])", "null", "1"})
    EXPECT_THAT(look_at_claims(meant(issuer, wrong)), HasSubstr("aud")) << wrong;
  EXPECT_THAT(look_at_claims(claims(R"("sub":"ann","iss":"https://id.example")")), HasSubstr("aud"));
}

TEST_F(TokenTest, TheSignatureIsTheKeys) {
  EXPECT_EQ(look(hs256_token("another secret of 32 bytes or more", claims())), "not signed");
  EXPECT_EQ(look(unsigned_token(header_of("HS256"), claims()) + "."), "not signed");
  auto token = hs256_token(secret, claims());
  token.back() = token.back() == 'A' ? 'E' : 'A';
  EXPECT_EQ(look(token), "not signed");
  const auto good = hs256_token(secret, claims());
  const auto other = hs256_token(secret, claims(R"("sub":"bob")"));
  EXPECT_EQ(look(other.substr(0, other.rfind('.')) + good.substr(good.rfind('.'))), "not signed");
}

TEST_F(TokenTest, EveryKindOfKeyChecksItsOwnTokens) {
  const std::array signers{SigningKey::rsa(), SigningKey::p256(), SigningKey::ed25519()};
  for (const auto& signer : signers) {
    keys_ = {VerifyKey::from_pem(signer.pem()).value()};
    EXPECT_EQ(look(signer.token(claims())), "ann editor");
    const auto good = signer.token(claims());
    EXPECT_EQ(look(good.substr(0, good.rfind('.') + 1)), "not signed");
    EXPECT_NE(look(good.substr(0, good.size() - 4)), "ann editor");
    for (const auto& other : signers)
      if (&other != &signer) EXPECT_EQ(look(other.token(claims())), "not signed");
  }
}

// What a token says of its algorithm never makes a key another kind of key.
TEST_F(TokenTest, AlgorithmsAreNotConfused) {
  const auto rsa = SigningKey::rsa();
  keys_ = {VerifyKey::from_pem(rsa.pem()).value()};
  EXPECT_EQ(look(hs256_token(rsa.pem(), claims())), "not signed") << "a public key is no secret";
  for (const auto* const none : {"none", "None", "NONE", ""})
    EXPECT_EQ(look(unsigned_token(header_of(none), claims()) + "."), "not signed") << none;
  for (const auto* const other : {"RS384", "PS256", "rs256", "HS256", "ES256", "EdDSA"}) {
    const auto good = rsa.token(claims());
    const auto signature = good.substr(good.rfind('.'));
    EXPECT_EQ(look(unsigned_token(header_of(other), claims()) + signature), "not signed") << other;
  }
  keys_ = {VerifyKey::from_secret(secret)};
  EXPECT_EQ(look(hs256_token(secret, claims(), R"({"alg":"HS512"})")), "not signed");
  EXPECT_EQ(look(hs256_token(secret, claims(), R"({"alg":"RS256"})")), "not signed");
}

TEST_F(TokenTest, AKeyThatIsNamedIsTheOnlyOneThatCounts) {
  const auto one = SigningKey::ed25519();
  const auto two = SigningKey::ed25519();
  const auto jwk = [](const SigningKey& key, std::string_view id) {
    const auto text = key.jwk(id);
    return VerifyKey::from_jwk(json::View(text)).value();
  };
  keys_ = {jwk(one, "k1"), jwk(two, "k2")};
  EXPECT_EQ(look(one.token(claims(), "k1")), "ann editor");
  EXPECT_EQ(look(one.token(claims(), "k2")), "not signed");
  EXPECT_EQ(look(one.token(claims(), "k3")), "not signed");
  EXPECT_EQ(look(two.token(claims())), "ann editor") << "it names none";
}

TEST_F(TokenTest, WhatIsNoTokenIsRefused) {
  const auto good = hs256_token(secret, claims());
  for (const std::string wrong : {"", ".", "..", "a.b", "a.b.c.d", "....", "no token at all"})
    EXPECT_FALSE(parse_token(wrong)) << wrong;
  EXPECT_FALSE(parse_token(good + "."));
  EXPECT_FALSE(parse_token(good + "="));
  EXPECT_FALSE(parse_token(" " + good));
  EXPECT_FALSE(parse_token(good.substr(0, 10) + "\n" + good.substr(10)));
  EXPECT_FALSE(parse_token("+" + good.substr(1)));
  EXPECT_THAT(look(hs256_token(secret, claims(R"("sub":")" + std::string(17 << 10, 'a') + "\""))),
              HasSubstr("larger"));
}

TEST_F(TokenTest, HeadersAndClaimsHaveOneMeaning) {
  const auto with_header = [](std::string_view header) { return hs256_token(secret, claims(), header); };
  EXPECT_EQ(look(with_header(R"({"alg":"HS256","typ":"JWT","x":[1]})")), "ann editor");
  for (const auto* const wrong :
       {"", "{", "[]", "null", R"({"alg":"none","alg":"HS256"})", R"({"alg":"HS256","\u0061lg":"HS256"})",
        R"({"typ":"JWT"})", R"({"alg":["HS256"]})", R"({"alg":"HS256","kid":1})",
        R"({"alg":"HS256","crit":["exp"]})", R"({"alg":"HS256"} x)", "{\"alg\":\"HS256\",\"x\":\"\xff\"}"})
    EXPECT_FALSE(parse_token(with_header(wrong))) << wrong;
  for (const std::string wrong : {"", "[]", "7", "{", R"({"sub":"ann")"})
    EXPECT_THAT(look_at_claims(wrong), HasSubstr("claims")) << wrong;
  EXPECT_THAT(look_at_claims(claims(R"("sub":"ann","sub":"root")")), HasSubstr("claims"));
  EXPECT_THAT(look_at_claims(claims(R"("sub":"ann","role":"viewer","role":"admin")")), HasSubstr("claims"));
}

TEST_F(TokenTest, AMintedTokenIsLetThroughUntilItEnds) {
  const auto mint = [&](std::chrono::seconds ttl) {
    return mint_token(secret, {"ann", Role::viewer}, rules_, now, ttl);
  };
  rules_.leeway = std::chrono::seconds(0);
  EXPECT_EQ(look(mint(std::chrono::seconds(1))), "ann viewer");
  EXPECT_EQ(look(mint(std::chrono::seconds(0))), "it has expired");
  rules_.issuer = "me";
  rules_.audience = {"you", "them"};
  rules_.user_claim = "email";
  rules_.role_claim = "duty";
  EXPECT_EQ(look(mint(std::chrono::hours(1))), "ann viewer");
}

}  // namespace
}  // namespace dg::auth
