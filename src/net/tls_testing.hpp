// Certificates for tests, and a blocking client that speaks TLS.
#pragma once

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <string>

#include "base/scratch_folder.hpp"
#include "net/test_support.hpp"

namespace dg::net::test {

// A key, and a certificate for it that it has signed itself, as texts in PEM.
struct Certificate {
  std::string certificate;
  std::string key;
};

// `serial` tells one from another; `days` may be below 0. It is for localhost, and for `more_names`.
inline Certificate make_certificate(long serial, int days = 1,
                                    const std::string& more_names = "IP:127.0.0.1") {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -60L * 60 * 24 * 30);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 60L * 60 * 24 * days);
  X509_set_pubkey(made.get(), key.get());
  auto* const name = X509_get_subject_name(made.get());
  const auto host = "certificate " + std::to_string(serial);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(host.data()),
                             static_cast<int>(host.size()), -1, 0);
  X509_set_issuer_name(made.get(), name);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:localhost," + more_names).c_str()),
      X509_EXTENSION_free);
  X509_add_ext(made.get(), names.get(), -1);
  X509_sign(made.get(), key.get(), EVP_sha256());
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  const auto taken = [&memory] {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(memory.get(), &data);
    std::string out(data, static_cast<std::size_t>(size));
    (void)BIO_reset(memory.get());
    return out;
  };
  Certificate out;
  PEM_write_bio_X509(memory.get(), made.get());
  out.certificate = taken();
  PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  out.key = taken();
  return out;
}

// A folder with the files that a server shows.
class CertificateFolder {
 public:
  explicit CertificateFolder(const Certificate& content) { write(content); }
  // Each file is replaced by a new one, as those who renew certificates do.
  void write(const Certificate& content) const {
    replace(files().certificate, content.certificate);
    replace(files().key, content.key);
  }
  static void replace(const std::string& path, const std::string& text) {
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  }
  TlsFiles files() const { return {folder_.path() / "cert.pem", folder_.path() / "key.pem"}; }
  std::string path(const char* name) const { return folder_.path() / name; }

 private:
  ScratchFolder folder_{"tls"};
};

struct ClientTls {
  int version = 0;             // the only one offered; 0: all
  std::string protocols = "";  // of ALPN, each behind its length
};

class TlsClient final : public RawClient {
 public:
  explicit TlsClient(std::uint16_t port, const ClientTls& options = {})
      : RawClient(port), context_(SSL_CTX_new(TLS_client_method())), ssl_(nullptr) {
    std::signal(SIGPIPE, SIG_IGN);
    SSL_CTX_set_security_level(context_.get(), 0);  // lets old versions be offered
    if (options.version != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), options.version);
      SSL_CTX_set_max_proto_version(context_.get(), options.version);
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(options.protocols.data()),
                        static_cast<unsigned>(options.protocols.size()));
    SSL_set_fd(ssl_.get(), descriptor());
    connected_ = SSL_connect(ssl_.get()) == 1;
  }

  bool connected() const { return connected_; }
  int version() const { return SSL_version(ssl_.get()); }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  long serial() const {
    const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    return shown ? ASN1_INTEGER_get(X509_get0_serialNumber(shown.get())) : 0;
  }
  // Whether the server has said that nothing more comes, so that no one can have cut the answer short.
  bool closed_cleanly() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

 private:
  ssize_t send_some(std::string_view bytes) override {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }
  ssize_t receive_some(char* space, std::size_t size) override {
    return SSL_read(ssl_.get(), space, static_cast<int>(size));
  }

  std::unique_ptr<SSL_CTX, decltype([](SSL_CTX* context) { SSL_CTX_free(context); })> context_;
  std::unique_ptr<SSL, decltype([](SSL* ssl) { SSL_free(ssl); })> ssl_;
  bool connected_ = false;
};

}  // namespace dg::net::test
