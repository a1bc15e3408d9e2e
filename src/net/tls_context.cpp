#include "net/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/log.hpp"

namespace dg::net {
namespace {

constexpr Duration look_pause = std::chrono::seconds(2);
// Of TLS 1.2; those of 1.3 are all good.
constexpr const char* ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
// Writes go on from where they stopped, and idle connections hold no buffers.
constexpr long stream_modes =
    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS;
constexpr std::string_view protocol = "http/1.1";

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using File = std::unique_ptr<std::FILE, CloseFile>;

std::unexpected<Error> unusable(std::string_view what, const std::string& path, const std::string& why) {
  return fail(Errc::invalid_argument, fmt::format("the {} in {} cannot be used: {}", what, path, why));
}

// The reason that the library gives for what has just failed: the first, which later ones follow from.
std::string library_reason() {
  const auto code = ERR_peek_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "it cannot be read" : reason;
}

bool has_no_pem() {
  const auto code = ERR_peek_error();
  return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

Result<File> open_file(std::string_view what, const std::string& path) {
  File file(std::fopen(path.c_str(), "re"));
  if (!file) return unusable(what, path, std::strerror(errno));
  return file;
}

FileStamp stamp_of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size,
          found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec};
}

Status use_certificates(SSL_CTX* context, const std::string& path) {
  constexpr std::string_view what = "certificate";
  if (const auto file = open_file(what, path); !file) return fail(file.error());
  if (SSL_CTX_use_certificate_chain_file(context, path.c_str()) != 1)
    return unusable(what, path, has_no_pem() ? "there is no certificate in PEM in it" : library_reason());
  if (X509_cmp_current_time(X509_get0_notAfter(SSL_CTX_get0_certificate(context))) < 0)
    log::warn("the certificate in {} has expired: clients will refuse it", path);
  return {};
}

Result<Key> read_key(const std::string& path) {
  constexpr std::string_view what = "key";
  auto file = open_file(what, path);
  if (!file) return fail(file.error());
  // Without the function the library would ask for a passphrase on the terminal.
  bool encrypted = false;
  const auto no_passphrase = [](char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  };
  Key key(PEM_read_PrivateKey(file->get(), nullptr, no_passphrase, &encrypted));
  if (key) return key;
  ERR_clear_error();  // its reasons are those of each decoder that was tried
  return unusable(what, path,
                  encrypted ? "it is encrypted; give one without a passphrase"
                            : "there is no private key in PEM in it that can be read");
}

Status use_files(SSL_CTX* context, const TlsFiles& files) {
  if (auto used = use_certificates(context, files.certificate); !used) return used;
  const auto key = read_key(files.key);
  if (!key) return fail(key.error());
  if (X509_check_private_key(SSL_CTX_get0_certificate(context), key->get()) != 1) {
    ERR_clear_error();
    return unusable("key", files.key, "it does not belong to the first certificate in " + files.certificate);
  }
  if (SSL_CTX_use_PrivateKey(context, key->get()) != 1) return unusable("key", files.key, library_reason());
  return {};
}

// A client that offers protocols, and not ours, is refused (RFC 7301, 3.2).
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  std::span rest(offered, offered_size);
  while (!rest.empty() && rest.size() > rest[0]) {
    const auto name = rest.subspan(1, rest[0]);
    rest = rest.subspan(1 + name.size());
    if (name.size() != protocol.size() || std::memcmp(name.data(), protocol.data(), name.size()) != 0)
      continue;
    *out = name.data();
    *out_size = static_cast<unsigned char>(name.size());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

Result<SslContext> make_server_context(const TlsFiles& files) {
  ERR_clear_error();
  SslContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail(Errc::internal, "TLS cannot be set up: " + library_reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context.get(), ciphers);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), stream_modes);
  // Clients resume with tickets: a cache here would be memory that they fill.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  if (auto used = use_files(context.get(), files); !used) return fail(std::move(used).error());
  return context;
}

SSL_CTX* client_context() {
  static const SslContext context = [] {
    SslContext made(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(made.get(), stream_modes);
    SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_default_verify_paths(made.get());
    return made;
  }();
  return context.get();
}

Result<std::unique_ptr<TlsContext>> TlsContext::open(TlsFiles files, Timers& timers) {
  std::unique_ptr<TlsContext> out(new TlsContext(std::move(files), timers));
  if (auto loaded = out->load(); !loaded) return fail(std::move(loaded).error());
  return out;
}

TlsContext::Stamps TlsContext::stamps() const {
  return {stamp_of(files_.certificate), stamp_of(files_.key)};
}

// The stamps are taken first: what changes while it is read is read again.
Status TlsContext::load() {
  read_ = stamps();
  next_look_ = timers_.now() + look_pause;
  auto made = make_server_context(files_);
  if (!made) return fail(std::move(made).error());
  context_ = std::move(*made);
  return {};
}

SSL_CTX* TlsContext::current() {
  if (timers_.now() < next_look_) return context_.get();
  next_look_ = timers_.now() + look_pause;
  if (stamps() == read_) return context_.get();
  if (const auto loaded = load(); loaded) {
    log::info("the certificate in {} was read again", files_.certificate);
  } else {
    log::error("{}; the certificate that was read before stays in use", loaded.error().message);
  }
  return context_.get();
}

}  // namespace dg::net
