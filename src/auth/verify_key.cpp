#include "auth/verify_key.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <utility>

#include "auth/base64url.hpp"
#include "base/env.hpp"

namespace dg::auth {
namespace {

constexpr int rsa_bits_min = 2048;
constexpr int rsa_bits_max = 8192;  // larger ones would make every token a burden
constexpr std::size_t p256_bytes = 32;
constexpr const char* p256 = "prime256v1";

template <auto Free>
struct Freeing {
  void operator()(auto* object) const { Free(object); }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freeing<Free>>;
using Number = Owned<BIGNUM, BN_free>;

// Connections of the same thread take what OpenSSL remembers of a failure for theirs.
struct ForgetErrors {
  ForgetErrors() { ERR_set_mark(); }
  ~ForgetErrors() { ERR_pop_to_mark(); }
  ForgetErrors(const ForgetErrors&) = delete;
  ForgetErrors& operator=(const ForgetErrors&) = delete;
};

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::unexpected<Error> not_usable(std::string why) {
  return fail(Errc::invalid_argument, std::move(why));
}

// The bytes of a member in base64url; nothing where it is none.
std::optional<std::string> bytes_at(json::View jwk, std::string_view name) {
  const auto member = jwk[name];
  if (!member.is_string()) return std::nullopt;
  auto bytes = from_base64url(member.string());
  return bytes && !bytes->empty() ? std::move(bytes) : std::nullopt;
}

std::shared_ptr<EVP_PKEY> own(EVP_PKEY* key) {
  return {key, EVP_PKEY_free};
}

std::shared_ptr<EVP_PKEY> key_of_params(const char* type, OSSL_PARAM_BLD* builder) {
  const Owned<OSSL_PARAM, OSSL_PARAM_free> params(OSSL_PARAM_BLD_to_param(builder));
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return nullptr;
  return own(key);
}

std::shared_ptr<EVP_PKEY> rsa_key(json::View jwk) {
  const auto n = bytes_at(jwk, "n");
  const auto e = bytes_at(jwk, "e");
  if (!n || !e || n->size() > rsa_bits_max / 8 || e->size() > 8) return nullptr;
  const Number modulus(BN_bin2bn(bytes_of(*n), static_cast<int>(n->size()), nullptr));
  const Number exponent(BN_bin2bn(bytes_of(*e), static_cast<int>(e->size()), nullptr));
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder(OSSL_PARAM_BLD_new());
  if (!BN_is_odd(exponent.get()) || BN_is_one(exponent.get())) return nullptr;
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return key_of_params("RSA", builder.get());
}

std::shared_ptr<EVP_PKEY> p256_key(json::View jwk) {
  const auto x = bytes_at(jwk, "x");
  const auto y = bytes_at(jwk, "y");
  if (jwk["crv"].string() != "P-256" || !x || !y || x->size() != p256_bytes || y->size() != p256_bytes)
    return nullptr;
  const auto point = "\x04" + *x + *y;
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, p256, 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return key_of_params("EC", builder.get());
}

std::shared_ptr<EVP_PKEY> ed25519_key(json::View jwk) {
  const auto x = bytes_at(jwk, "x");
  if (jwk["crv"].string() != "Ed25519" || !x) return nullptr;
  return own(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(*x), x->size()));
}

std::shared_ptr<EVP_PKEY> public_key_of(json::View jwk) {
  const auto type = jwk["kty"].string();
  if (type == "RSA") return rsa_key(jwk);
  if (type == "EC") return p256_key(jwk);
  return type == "OKP" ? ed25519_key(jwk) : nullptr;
}

std::optional<Algorithm> algorithm_of(EVP_PKEY* key) {
  std::array<char, 32> group{};
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      if (const auto bits = EVP_PKEY_get_bits(key); bits < rsa_bits_min || bits > rsa_bits_max)
        return std::nullopt;
      return Algorithm::rs256;
    case EVP_PKEY_EC:
      EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr);
      return std::string_view(group.data()) == p256 ? std::optional(Algorithm::es256) : std::nullopt;
    case EVP_PKEY_ED25519:
      return Algorithm::eddsa;
    default:
      return std::nullopt;
  }
}

// Tokens have the two numbers side by side, OpenSSL wants them in DER.
std::string der_of_ecdsa(std::string_view signature) {
  if (signature.size() != 2 * p256_bytes) return "";
  const Owned<ECDSA_SIG, ECDSA_SIG_free> numbers(ECDSA_SIG_new());
  auto* const r = BN_bin2bn(bytes_of(signature), p256_bytes, nullptr);
  auto* const s = BN_bin2bn(bytes_of(signature.substr(p256_bytes)), p256_bytes, nullptr);
  ECDSA_SIG_set0(numbers.get(), r, s);
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(numbers.get(), &der);
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(std::max(size, 0)));
  OPENSSL_free(der);
  return out;
}

bool verify(EVP_PKEY* key, const EVP_MD* digest, std::string_view text, std::string_view signature) {
  const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text),
                          text.size()) == 1;
}

bool is_for_signatures(json::View jwk) {
  const auto use = jwk["use"];
  if (!use.is_null() && use.string() != "sig") return false;
  const auto operations = jwk["key_ops"];
  if (operations.is_null()) return true;
  return std::ranges::any_of(operations.elements(),
                             [](json::View operation) { return operation.string() == "verify"; });
}

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  constexpr std::array<std::string_view, 4> names{"HS256", "RS256", "ES256", "EdDSA"};
  return names.at(static_cast<std::size_t>(algorithm));
}

std::string hmac_sha256(std::string_view secret, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(text), text.size(), out.data(),
       &size);
  return {reinterpret_cast<const char*>(out.data()), size};
}

VerifyKey VerifyKey::from_secret(std::string secret) {
  VerifyKey out(Algorithm::hs256, nullptr);
  out.secret_ = std::move(secret);
  return out;
}

Result<VerifyKey> VerifyKey::of_public_key(PublicKey key) {
  const auto algorithm = key ? algorithm_of(key.get()) : std::nullopt;
  if (!algorithm)
    return not_usable("it is no public key for RS256 (2048 bits or more), ES256 or EdDSA (Ed25519)");
  return VerifyKey(*algorithm, std::move(key));
}

Result<VerifyKey> VerifyKey::from_pem(const std::string& pem) {
  const ForgetErrors forget;
  const Owned<BIO, BIO_free_all> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  auto key = own(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (!key) return not_usable("it holds no public key in PEM (BEGIN PUBLIC KEY)");
  return of_public_key(std::move(key));
}

Result<VerifyKey> VerifyKey::from_jwk(json::View jwk) {
  const ForgetErrors forget;
  if (!is_for_signatures(jwk)) return not_usable("the key is not for signatures");
  auto key = of_public_key(public_key_of(jwk));
  if (!key) return key;
  const auto algorithm = jwk["alg"];
  if (!algorithm.is_null() && algorithm.string() != to_string(key->algorithm_))
    return not_usable("the key is for another algorithm");
  key->id_ = jwk["kid"].string();
  return key;
}

bool VerifyKey::verifies(std::string_view signed_text, std::string_view signature) const {
  const ForgetErrors forget;
  switch (algorithm_) {
    case Algorithm::hs256:
      return equal_secrets(hmac_sha256(secret_, signed_text), signature);
    case Algorithm::rs256:
      return verify(key_.get(), EVP_sha256(), signed_text, signature);
    case Algorithm::es256:
      return verify(key_.get(), EVP_sha256(), signed_text, der_of_ecdsa(signature));
    case Algorithm::eddsa:
      return verify(key_.get(), nullptr, signed_text, signature);
  }
  return false;
}

}  // namespace dg::auth
