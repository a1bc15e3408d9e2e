// The parts of an instance together, asked by curl over real sockets.
#include "cli/server/instance.hpp"

#include <curl/curl.h>
#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdio>
#include <thread>

#include "base/json.hpp"
#include "base/scratch_folder.hpp"
#include "base/system_world.hpp"
#include "cli/client/http_client.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace dg::cli {
namespace {

using ::testing::HasSubstr;

// Writes a key, and a certificate for 127.0.0.1 that it has signed itself.
void write_certificate(const net::TlsFiles& files) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key.get());
  auto* const name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("127.0.0.1"),
                             -1, -1, 0);
  X509_set_issuer_name(made.get(), name);
  X509_sign(made.get(), key.get(), EVP_sha256());
  const auto write = [](const std::string& path, auto content) {
    const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "w"), std::fclose);
    content(file.get());
  };
  write(files.certificate, [&](std::FILE* file) { PEM_write_X509(file, made.get()); });
  write(files.key, [&](std::FILE* file) {
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

struct Answer {
  long status = 0;
  std::string head;
  std::string body;
};

std::size_t append(const char* bytes, std::size_t, std::size_t size, void* text) {
  static_cast<std::string*>(text)->append(bytes, size);
  return size;
}

// Asks over a connection of its own, and trusts `authority` alone.
Answer ask(const std::string& url, const std::string& authority,
           const std::vector<std::string>& headers = {}) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  curl_slist* list = nullptr;
  for (const auto& header : headers) list = curl_slist_append(list, header.c_str());
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> owned(list, curl_slist_free_all);
  Answer out;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl.get(), CURLOPT_CAINFO, authority.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 20L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &out.body);
  curl_easy_setopt(curl.get(), CURLOPT_HEADERFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_HEADERDATA, &out.head);
  if (const auto code = curl_easy_perform(curl.get()); code != CURLE_OK) out.body = curl_easy_strerror(code);
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &out.status);
  return out;
}

class InstanceTest : public ::testing::Test {
 protected:
  InstanceOptions options() {
    InstanceOptions out;
    out.open_store = [path = (folder_.path() / "duragraph.db").string()](const Env& env) {
      return store::open_sqlite(env, {.path = path});
    };
    out.port = 0;
    out.worker_token = "secret-token";
    return out;
  }
  void start(InstanceOptions options) {
    auto opened = Instance::open(world_.io, world_.env, std::move(options));
    ASSERT_TRUE(opened) << opened.error().message;
    instance_ = std::move(*opened);
    thread_ = std::thread([this] {
      const auto work = boost::asio::make_work_guard(world_.io);
      world_.io.run();
    });
    run([](Instance& instance) -> Task<void> {
      if (!co_await instance.start()) std::abort();
      instance.serve();
    }(*instance_));
  }
  void TearDown() override {
    if (!thread_.joinable()) return;
    run([](Instance& instance, SteadyTime now) -> Task<void> {
      co_await instance.drain(now);
      instance.close();
    }(*instance_, world_.timers->now()));
    world_.io.stop();
    thread_.join();
  }
  void run(Task<void> task) {
    boost::asio::co_spawn(world_.io, std::move(task), boost::asio::use_future).get();
  }

  ScratchFolder folder_{"instance"};
  net::TlsFiles files_{folder_.path() / "cert.pem", folder_.path() / "key.pem"};
  SystemWorld world_;
  std::unique_ptr<Instance> instance_;
  std::thread thread_;
};

TEST_F(InstanceTest, ServesOverTlsWithARateLimitBehindAProxy) {
  write_certificate(files_);
  auto chosen = options();
  chosen.tls = files_;
  chosen.rate_limit = api::RateLimits{.rps = 0.001, .burst = 3};
  chosen.trusted_proxies = {net::parse_network("127.0.0.1").value()};
  start(std::move(chosen));
  const auto url = instance_->url();
  EXPECT_THAT(url, ::testing::StartsWith("https://127.0.0.1:"));
  const auto from = [&](const std::string& client, const std::string& path = "/info") {
    return ask(url + path, files_.certificate, {"X-Forwarded-For: " + client});
  };
  for (const auto* left : {"2", "1", "0"}) {
    const auto answer = from("203.0.113.7");
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_THAT(answer.head, HasSubstr(std::string("X-RateLimit-Remaining: ") + left + "\r\n"));
  }
  const auto refused = from("203.0.113.7");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.head, HasSubstr("Retry-After: 1000\r\n"));
  EXPECT_EQ(json::View(refused.body)["retry_after"].integer(), 1000);
  EXPECT_EQ(from("203.0.113.8").status, 200);
  EXPECT_EQ(from("203.0.113.7", "/health").status, 200);
  const auto metrics = from("203.0.113.7", "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("duragraph_rate_limit_refusals_total 1"));
  EXPECT_THAT(metrics, HasSubstr("duragraph_tls_handshakes_failed_total 0"));

  const auto upgrade = ask(url + "/api/v1/workers/connect", files_.certificate,
                           {"X-Forwarded-For: 203.0.113.9", "Connection: Upgrade", "Upgrade: websocket",
                            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="});
  EXPECT_EQ(upgrade.status, 401);
  EXPECT_THAT(upgrade.head, HasSubstr("X-RateLimit-Remaining: 2\r\n"));

  const auto clear = ask("http" + url.substr(5) + "/info", files_.certificate);
  EXPECT_EQ(clear.status, 400);
  EXPECT_THAT(clear.body, HasSubstr("https://"));
}

TEST_F(InstanceTest, ClientCommandsTrustTheAuthoritiesOfSslCertFile) {
  write_certificate(files_);
  auto chosen = options();
  chosen.tls = files_;
  start(std::move(chosen));
  HttpClient client(instance_->url(), "");
  const auto before = client.send({.path = "/info"}, {});
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, Errc::unavailable);
  ::setenv("SSL_CERT_FILE", files_.certificate.c_str(), 1);
  const auto after = client.send({.path = "/info"}, {});
  ::unsetenv("SSL_CERT_FILE");
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->status, 200);
}

TEST_F(InstanceTest, CountsNobodyUnlessToldTo) {
  start(options());
  EXPECT_THAT(instance_->url(), ::testing::StartsWith("http://127.0.0.1:"));
  for (int i = 0; i < 50; ++i) {
    const auto answer = ask(instance_->url() + "/info", "");
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.head, ::testing::Not(HasSubstr("X-RateLimit")));
  }
}

TEST_F(InstanceTest, FilesThatCannotBeUsedKeepItFromStarting) {
  auto chosen = options();
  chosen.tls = files_;
  const auto opened = Instance::open(world_.io, world_.env, std::move(chosen));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::invalid_argument);
  EXPECT_THAT(opened.error().message, HasSubstr(files_.certificate));
}

}  // namespace
}  // namespace dg::cli
