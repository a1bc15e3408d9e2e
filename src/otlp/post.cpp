#include "otlp/post.hpp"

#include <curl/curl.h>

#include <algorithm>

namespace dg::otlp {
namespace {

std::size_t drop_body(char*, std::size_t size, std::size_t count, void*) {
  return size * count;
}

int ask_whether_given_up(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<const std::function<bool()>*>(user))() ? 1 : 0;
}

}  // namespace

struct Poster::Impl {
  CURL* curl = curl_easy_init();
  curl_slist* headers = nullptr;
  char problem[CURL_ERROR_SIZE] = "";

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }
};

Poster::Poster(const std::string& url, const std::vector<std::pair<std::string, std::string>>& headers)
    : impl_(std::make_unique<Impl>()) {
  auto* const curl = impl_->curl;
  for (const auto& [name, value] : headers)
    impl_->headers = curl_slist_append(impl_->headers, (name + ": " + value).c_str());
  // Without it libcurl waits a second for leave to send a large body.
  impl_->headers = curl_slist_append(impl_->headers, "Expect:");
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, impl_->headers);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_body);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, impl_->problem);
}

Poster::~Poster() = default;

PostAnswer Poster::post(const std::string& body, std::chrono::milliseconds timeout,
                        const std::function<bool()>& given_up) {
  auto* const curl = impl_->curl;
  impl_->problem[0] = '\0';
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(timeout.count(), 1)));
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, ask_whether_given_up);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &given_up);
  PostAnswer answer;
  const auto code = curl_easy_perform(curl);
  if (code != CURLE_OK) {
    answer.problem = impl_->problem[0] != '\0' ? impl_->problem : curl_easy_strerror(code);
    return answer;
  }
  curl_off_t wait = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait);
  answer.retry_after = std::chrono::seconds(wait);
  if (answer.status / 100 != 2) answer.problem = "it answered " + std::to_string(answer.status);
  return answer;
}

}  // namespace dg::otlp
