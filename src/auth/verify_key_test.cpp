#include "auth/verify_key.hpp"

#include <gmock/gmock.h>
#include <openssl/err.h>

#include "auth/auth_testing.hpp"
#include "auth/jwks.hpp"

namespace dg::auth {
namespace {

using ::testing::HasSubstr;
using testing::SigningKey;

bool is_usable_jwk(const std::string& text) {
  return VerifyKey::from_jwk(json::View(text)).has_value();
}

TEST(VerifyKey, PublicKeysSayTheirOwnAlgorithm) {
  EXPECT_EQ(VerifyKey::from_pem(SigningKey::rsa().pem()).value().algorithm(), Algorithm::rs256);
  EXPECT_EQ(VerifyKey::from_pem(SigningKey::p256().pem()).value().algorithm(), Algorithm::es256);
  EXPECT_EQ(VerifyKey::from_pem(SigningKey::ed25519().pem()).value().algorithm(), Algorithm::eddsa);
}

TEST(VerifyKey, OtherFilesAreRefused) {
  EXPECT_FALSE(VerifyKey::from_pem(SigningKey::rsa(1024).pem())) << "too short to be safe";
  EXPECT_FALSE(VerifyKey::from_pem(SigningKey::p384().pem()));
  EXPECT_THAT(VerifyKey::from_pem(SigningKey::rsa().private_pem()).error().message, HasSubstr("public key"));
  EXPECT_FALSE(VerifyKey::from_pem(""));
  EXPECT_FALSE(VerifyKey::from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
  EXPECT_EQ(ERR_peek_error(), 0UL) << "a connection of the same thread would take the error for its own";
}

TEST(VerifyKey, KeysOfAJwksAreTaken) {
  for (const auto& key : {SigningKey::rsa(), SigningKey::p256(), SigningKey::ed25519()}) {
    const auto text = key.jwk("k1", R"("use":"sig","key_ops":["verify"])");
    const auto taken = VerifyKey::from_jwk(json::View(text));
    ASSERT_TRUE(taken) << text;
    EXPECT_EQ(taken->id(), "k1");
  }
  EXPECT_TRUE(is_usable_jwk(SigningKey::rsa().jwk("", R"("alg":"RS256")")));
}

TEST(VerifyKey, OtherKeysOfAJwksAreNot) {
  EXPECT_FALSE(is_usable_jwk(R"({"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZg","alg":"HS256"})"))
      << "a secret does not travel in a list of public keys";
  EXPECT_FALSE(is_usable_jwk(SigningKey::rsa().jwk("k", R"("use":"enc")")));
  EXPECT_FALSE(is_usable_jwk(SigningKey::rsa().jwk("k", R"("key_ops":["sign"])")));
  EXPECT_FALSE(is_usable_jwk(SigningKey::rsa().jwk("k", R"("alg":"PS256")")));
  EXPECT_FALSE(is_usable_jwk(SigningKey::rsa(1024).jwk("k")));
  EXPECT_FALSE(is_usable_jwk(R"({"kty":"RSA","n":"AQAB"})"));
  EXPECT_FALSE(is_usable_jwk(R"({"kty":"RSA","n":"AQAB","e":"AQ"})"));
  EXPECT_FALSE(is_usable_jwk(R"({"kty":"EC","crv":"P-256","x":"AQAB","y":"AQAB"})"));
  const std::string zeros(43, 'A');
  EXPECT_FALSE(is_usable_jwk(R"({"kty":"EC","crv":"P-256","x":")" + zeros + R"(","y":")" + zeros + "\"}"))
      << "no point of the curve";
  EXPECT_FALSE(is_usable_jwk(R"({"kty":"OKP","crv":"X25519","x":")" + zeros + "\"}"));
  EXPECT_FALSE(is_usable_jwk(R"({"kty":"OKP","crv":"Ed25519","x":"AQAB"})"));
  for (const std::string wrong : {"{}", "[]", "null", "7", R"({"kty":7})"})
    EXPECT_FALSE(is_usable_jwk(wrong));
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

TEST(Jwks, TakesWhatItCanUse) {
  const auto rsa = SigningKey::rsa();
  const auto keys =
      parse_jwks(R"({"keys":[{"kty":"oct","k":"AAAA"},)" + rsa.jwk("a") + "," + rsa.jwk("b") + "]}");
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 2U);
  EXPECT_EQ(keys->back().id(), "b");
}

TEST(Jwks, RefusesWhatIsNone) {
  for (const std::string wrong :
       {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[]})", "<html>", R"({"keys":[7]})"})
    EXPECT_FALSE(parse_jwks(wrong)) << wrong;
  std::string many = R"({"keys":[{})";
  for (std::size_t i = 0; i < jwks_keys_max; ++i) many += ",{}";
  EXPECT_THAT(parse_jwks(many + "]}").error().message, HasSubstr("100"));
  EXPECT_THAT(parse_jwks(std::string(jwks_bytes_max + 1, ' ')).error().message, HasSubstr("larger"));
}

}  // namespace
}  // namespace dg::auth
