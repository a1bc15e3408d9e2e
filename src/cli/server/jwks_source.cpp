#include "cli/server/jwks_source.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <memory>
#include <thread>

#include "auth/jwks.hpp"
#include "cli/config/config_file.hpp"

namespace dg::cli {
namespace {

namespace asio = boost::asio;

std::size_t take_bytes(char* data, std::size_t size, std::size_t count, void* user) {
  auto& text = *static_cast<std::string*>(user);
  if (text.size() + size * count > auth::jwks_bytes_max) return 0;
  text.append(data, size * count);
  return size * count;
}

// Blocks.
Result<std::string> fetch_url(const std::string& url) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  std::string text;
  char problem[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_MAXREDIRS, 3L);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, 5000L);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, problem);
  if (const char* const authorities = std::getenv("SSL_CERT_FILE"))
    curl_easy_setopt(curl.get(), CURLOPT_CAINFO, authorities);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &take_bytes);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &text);
  const auto code = curl_easy_perform(curl.get());
  if (code == CURLE_OK) return text;
  if (code == CURLE_WRITE_ERROR)
    return fail(Errc::unavailable, fmt::format("the answer is larger than {} bytes", auth::jwks_bytes_max));
  return fail(Errc::unavailable, problem[0] != '\0' ? problem : curl_easy_strerror(code));
}

Task<Result<std::string>> get_beside(Executor executor, std::string url) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<std::string>)>(
      [&](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        std::thread([shared, executor, url, keeps_loop = asio::make_work_guard(executor)]() mutable {
          asio::post(executor, [shared = std::move(shared), text = fetch_url(url)]() mutable {
            std::move (*shared)(std::move(text));
          });
        }).detach();
      },
      asio::use_awaitable_t<Executor>{});
}

Task<Result<std::string>> read_jwks_file(std::string path) {
  co_return read_settings_text(path, auth::jwks_bytes_max);
}

}  // namespace

auth::FetchJwks jwks_of_file(std::string path) {
  return [path = std::move(path)] { return read_jwks_file(path); };
}

auth::FetchJwks jwks_of_url(Executor executor, std::string url) {
  return [executor, url = std::move(url)] { return get_beside(executor, url); };
}

}  // namespace dg::cli
