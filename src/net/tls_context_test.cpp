#include "net/tls_context.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/virtual_time.hpp"
#include "net/tls_testing.hpp"

namespace dg::net {
namespace {

using test::CertificateFolder;
using test::make_certificate;
using testing::AllOf;
using testing::HasSubstr;

class TlsContextTest : public testing::Test {
 protected:
  static long serial_of(SSL_CTX* context) {
    return ASN1_INTEGER_get(X509_get0_serialNumber(SSL_CTX_get0_certificate(context)));
  }
  // Why the folder's files cannot be used.
  std::string problem() {
    const auto made = make_server_context(folder_.files());
    return made ? "" : made.error().message;
  }
  void pass(Duration time) { world_.timers.run_for(time); }

  VirtualWorld world_;
  CertificateFolder folder_{make_certificate(1)};
};

TEST_F(TlsContextTest, WhatCannotBeUsedIsNamedWithTheReason) {
  const auto good = make_certificate(1);
  const auto& [certificate, key] = folder_.files();
  EXPECT_EQ(problem(), "");

  std::filesystem::remove(certificate);
  EXPECT_THAT(problem(), AllOf(HasSubstr("the certificate in " + certificate), HasSubstr("No such file")));
  for (const std::string text :
       {"", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    CertificateFolder::replace(certificate, text);
    EXPECT_THAT(problem(), HasSubstr("the certificate in " + certificate)) << text;
  }
  CertificateFolder::replace(certificate, good.key);
  EXPECT_THAT(problem(), HasSubstr("there is no certificate in PEM in it"));

  folder_.write(good);
  EXPECT_EQ(problem(), "");
  std::filesystem::remove(key);
  EXPECT_THAT(problem(), AllOf(HasSubstr("the key in " + key), HasSubstr("No such file")));
  CertificateFolder::replace(key, good.certificate);
  EXPECT_THAT(problem(), HasSubstr("there is no private key in PEM in it"));
  CertificateFolder::replace(key, make_certificate(2).key);
  EXPECT_THAT(problem(),
              AllOf(HasSubstr("the key in " + key), HasSubstr("does not belong"), HasSubstr(certificate)));
}

TEST_F(TlsContextTest, APassphraseIsNotAskedFor) {
  const auto good = make_certificate(1);
  const auto path = folder_.files().key;
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(
      BIO_new_mem_buf(good.key.data(), static_cast<int>(good.key.size())), BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "w"), BIO_free);
  const std::string phrase = "secret";
  PEM_write_bio_PKCS8PrivateKey(file.get(), key.get(), EVP_aes_256_cbc(), phrase.data(),
                                static_cast<int>(phrase.size()), nullptr, nullptr);
  BIO_flush(file.get());
  CertificateFolder::replace(folder_.files().certificate, good.certificate);
  EXPECT_THAT(problem(), HasSubstr("it is encrypted"));
}

TEST_F(TlsContextTest, AnExpiredCertificateIsUsedAndTold) {
  folder_.write(make_certificate(1, -1));
  testing::internal::CaptureStderr();
  EXPECT_EQ(problem(), "");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("has expired"));
}

TEST_F(TlsContextTest, AChangedPairIsReadAtTheNextLook) {
  const auto context = std::move(*TlsContext::open(folder_.files(), world_.timers));
  EXPECT_EQ(serial_of(context->current()), 1);
  folder_.write(make_certificate(2));
  EXPECT_EQ(serial_of(context->current()), 1) << "not looked at again so soon";
  pass(std::chrono::seconds(2));
  EXPECT_EQ(serial_of(context->current()), 2);
}

// Who renews replaces one file after the other.
TEST_F(TlsContextTest, WhatCannotBeUsedLeavesTheLastPairInUse) {
  const auto context = std::move(*TlsContext::open(folder_.files(), world_.timers));
  const auto renewed = make_certificate(2);
  CertificateFolder::replace(folder_.files().certificate, renewed.certificate);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 5; ++i) {
    pass(std::chrono::seconds(2));
    EXPECT_EQ(serial_of(context->current()), 1);
  }
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("does not belong"));
  EXPECT_EQ(std::ranges::count(log, '\n'), 1) << "told once for each change";
  CertificateFolder::replace(folder_.files().key, renewed.key);
  pass(std::chrono::seconds(2));
  EXPECT_EQ(serial_of(context->current()), 2);
}

}  // namespace
}  // namespace dg::net
