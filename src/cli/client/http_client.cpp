#include "cli/client/http_client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace dg::cli {
namespace {

struct Exchange {
  CURL* curl = nullptr;
  const std::function<bool(std::string_view)>* on_bytes = nullptr;
  HttpAnswer answer;
  bool ended_by_reader = false;
};

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view line(data, size * count);
  const auto colon = line.find(':');
  if (line.starts_with("HTTP/")) {
    exchange.answer.headers.clear();
  } else if (colon != std::string_view::npos) {
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    auto value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back())) != 0)
      value.remove_suffix(1);
    exchange.answer.headers[name] = value;
  }
  return size * count;
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view bytes(data, size * count);
  long status = 0;
  curl_easy_getinfo(exchange.curl, CURLINFO_RESPONSE_CODE, &status);
  if (!*exchange.on_bytes || status / 100 != 2) {
    exchange.answer.body.append(bytes);
    return bytes.size();
  }
  if ((*exchange.on_bytes)(bytes)) return bytes.size();
  exchange.ended_by_reader = true;
  return 0;
}

struct HeaderList {
  curl_slist* list = nullptr;
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list); }
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
};

Errc errc_for(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return Errc::timeout;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Errc::invalid_argument;
    default:
      return Errc::unavailable;
  }
}

}  // namespace

Result<std::string> to_base_url(std::string_view given) {
  auto text = given;
  const auto drop_slashes = [&text] {
    while (text.ends_with('/')) text.remove_suffix(1);
  };
  constexpr std::string_view api = "/api/v1";
  drop_slashes();
  if (text.ends_with(api)) text.remove_suffix(api.size());
  drop_slashes();
  // Without a scheme, only a port tells an address from a word.
  std::string url(text);
  if (!given.contains("://") && url.contains(':')) url = "http://" + url;
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  const bool web = url.starts_with("http://") || url.starts_with("https://");
  if (!web || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      url.find_first_of("?# ") != std::string::npos)
    return fail(Errc::invalid_argument,
                fmt::format("\"{}\" is no address of a server, which is like http://127.0.0.1:2024", given));
  return url;
}

struct HttpClient::Handle {
  CURL* curl = curl_easy_init();
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { curl_easy_cleanup(curl); }
};

HttpClient::HttpClient(std::string base_url, std::string api_key)
    : base_url_(std::move(base_url)), api_key_(std::move(api_key)), handle_(std::make_unique<Handle>()) {}

HttpClient::~HttpClient() = default;

Result<HttpAnswer> HttpClient::send(const HttpCall& call,
                                    const std::function<bool(std::string_view)>& on_bytes) {
  CURL* curl = handle_->curl;
  curl_easy_reset(curl);
  Exchange exchange;
  exchange.curl = curl;
  exchange.on_bytes = &on_bytes;

  HeaderList headers;
  if (!api_key_.empty()) headers.add("x-api-key: " + api_key_);
  headers.add("Expect:");
  if (!call.body.empty()) headers.add("Content-Type: application/json");
  for (const auto& [name, value] : call.headers) headers.add(fmt::format("{}: {}", name, value));

  const std::string url = base_url_ + call.path;
  char problem[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
  // OpenSSL takes the authorities from there where it is used without curl, and so does Python.
  if (const char* const authorities = std::getenv("SSL_CERT_FILE"))
    curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call.method.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.list);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  if (call.silence.count() > 0) {
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(call.silence.count()));
  }
  if (!call.body.empty() || call.method == "POST") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call.body.c_str());
  }

  const CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  exchange.answer.status = static_cast<int>(status);
  if (code == CURLE_OK || exchange.ended_by_reader) return std::move(exchange.answer);
  const bool silent = code == CURLE_OPERATION_TIMEDOUT && call.timeout.count() == 0;
  const Errc errc = silent ? Errc::unavailable : errc_for(code);
  if (status != 0 && errc == Errc::unavailable) {
    exchange.answer.complete = false;
    return std::move(exchange.answer);
  }
  const std::string reason = problem[0] != '\0' ? problem : curl_easy_strerror(code);
  return fail(errc, fmt::format("{}: {}", base_url_, reason));
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

}  // namespace dg::cli
