// The server's API as the commands use it: JSON in, JSON or an error out.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/client/http_client.hpp"
#include "cli/client/sse.hpp"

namespace dg::cli {

// An answer of 400 or more as an error, with the server's own words.
Error error_of(const HttpAnswer& answer);

class Api {
 public:
  Api(std::string base_url, std::string api_key) : http_(std::move(base_url), std::move(api_key)) {}

  // One request; the body of a 2xx answer, which is valid JSON or empty.
  Result<std::string> get(const std::string& path, std::chrono::milliseconds timeout = {});
  Result<std::string> post(const std::string& path, const std::string& body);

  // The run with its thread_id and kwargs. not_found where there is none.
  Result<std::string> run(std::string_view run_id);
  // {"run_id", "status", "reason": {"code", "message", …}}: what the run waits for.
  Result<std::string> why(std::string_view run_id);
  Result<std::string> thread(std::string_view thread_id);

  HttpClient& http() { return http_; }

 private:
  Result<std::string> call(const HttpCall& call);
  HttpClient http_;
};

// How a stream that was lost is taken up again.
struct ResumePolicy {
  std::chrono::milliseconds first_pause{100};
  std::chrono::milliseconds longest_pause{5000};
  std::chrono::milliseconds give_up{30000};  // without a single event
  std::chrono::seconds silence{20};          // no byte for this long: the connection is lost
};

// Where and what a stream is about; filled from the first answer's headers where it is empty.
struct StreamPlace {
  std::string thread_id;
  std::string run_id;
};

// Gives every frame of a run to `on_event`, each once and in order, until the run is over. `first`
// is the request that opens the stream: one that creates the run, or one that joins it. A lost
// connection is made again after the last frame seen (Last-Event-ID). `on_event` returns false to
// stop early. `on_lost` is told once of each connection that is lost, however
// often it takes to make another. Errors: those of the first answer;
// unavailable when the server did not come back in time.
Status follow_run(Api& api, HttpCall first, StreamPlace& place,
                  const std::function<bool(const SseEvent&)>& on_event,
                  const std::function<void()>& on_lost = {}, const ResumePolicy& policy = {});

// The path of a run's stream.
std::string stream_path(const StreamPlace& place);

}  // namespace dg::cli
