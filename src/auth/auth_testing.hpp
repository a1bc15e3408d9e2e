// Keys that sign tokens, and tokens that say what a test wants.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "auth/base64url.hpp"
#include "auth/verify_key.hpp"

namespace dg::auth::testing {

inline std::string unsigned_token(std::string_view header, std::string_view claims) {
  return to_base64url(header) + "." + to_base64url(claims);
}

inline std::string header_of(std::string_view algorithm, std::string_view key_id = "") {
  json::Writer out;
  out.begin_object().key("alg").string(algorithm);
  if (!key_id.empty()) out.key("kid").string(key_id);
  return out.end_object().take();
}

inline std::string hs256_token(std::string_view secret, std::string_view claims,
                               std::string_view header = R"({"alg":"HS256"})") {
  const auto text = unsigned_token(header, claims);
  return text + "." + to_base64url(hmac_sha256(secret, text));
}

// A pair of keys for one algorithm.
class SigningKey {
 public:
  static SigningKey rsa(unsigned bits = 2048) { return SigningKey("RS256", EVP_RSA_gen(bits)); }
  static SigningKey p256() { return SigningKey("ES256", EVP_EC_gen("P-256")); }
  static SigningKey p384() { return SigningKey("ES384", EVP_EC_gen("P-384")); }
  static SigningKey ed25519() { return SigningKey("EdDSA", EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }

  std::string token(std::string_view claims, std::string_view key_id = "") const {
    const auto text = unsigned_token(header_of(algorithm_, key_id), claims);
    return text + "." + to_base64url(sign(text));
  }

  std::string pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    PEM_write_bio_PUBKEY(bio.get(), key_.get());
    return text_of(bio.get());
  }
  std::string private_pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return text_of(bio.get());
  }

  // `more` is spliced in behind a comma.
  std::string jwk(std::string_view key_id, const std::string& more = "") const {
    json::Writer out;
    out.begin_object();
    if (!key_id.empty()) out.key("kid").string(key_id);
    if (algorithm_ == "RS256") {
      out.key("kty").string("RSA").key("n").string(number("n")).key("e").string(number("e"));
    } else if (algorithm_ == "ES256") {
      out.key("kty").string("EC").key("crv").string("P-256");
      out.key("x").string(number("qx", 32)).key("y").string(number("qy", 32));
    } else {
      std::array<unsigned char, 32> raw{};
      std::size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(key_.get(), raw.data(), &size);
      out.key("kty").string("OKP").key("crv").string("Ed25519");
      out.key("x").string(to_base64url({reinterpret_cast<const char*>(raw.data()), size}));
    }
    auto text = out.end_object().take();
    if (!more.empty()) text.insert(text.size() - 1, "," + more);
    return text;
  }

 private:
  SigningKey(std::string algorithm, EVP_PKEY* key)
      : algorithm_(std::move(algorithm)), key_(key, EVP_PKEY_free) {
    if (key == nullptr) throw std::runtime_error("no key could be made");
  }

  static std::string text_of(BIO* bio) {
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio, &text);
    return {text, static_cast<std::size_t>(size)};
  }

  static std::string bytes_of_number(const BIGNUM* value, std::size_t size) {
    std::string out(size, '\0');
    BN_bn2binpad(value, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(size));
    return out;
  }
  std::string number(const char* name, std::size_t size = 0) const {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &value);
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> owned(value, BN_free);
    return to_base64url(
        bytes_of_number(value, size > 0 ? size : static_cast<std::size_t>(BN_num_bytes(value))));
  }

  std::string sign(std::string_view text) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestSignInit(context.get(), nullptr, algorithm_ == "EdDSA" ? nullptr : EVP_sha256(), nullptr,
                       key_.get());
    std::string out(1024, '\0');
    std::size_t size = out.size();
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    out.resize(size);
    if (!algorithm_.starts_with("ES")) return out;
    const auto* der = reinterpret_cast<const unsigned char*>(out.data());
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> numbers(
        d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(size)), ECDSA_SIG_free);
    return bytes_of_number(ECDSA_SIG_get0_r(numbers.get()), 32) +
           bytes_of_number(ECDSA_SIG_get0_s(numbers.get()), 32);
  }

  std::string algorithm_;
  std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace dg::auth::testing
