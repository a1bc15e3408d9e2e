// A request in logs and traces.
#pragma once

#include <memory>
#include <string_view>

#include "app/context.hpp"
#include "net/http.hpp"

namespace dg::api {

// Follows one request from its head to the end of its answer. Without a tracer it only reads the client's
// trace context.
class RequestTrace {
 public:
  // Sets request.trace: the server's own span where spans are recorded, else what the client said.
  RequestTrace(const app::Context& context, net::Request& request);

  // The answer is about to be sent; a streamed one ends the span with its body.
  void answered(const net::Request& request, std::string_view pattern, net::Response& response);

 private:
  Tracer* tracer_;
  const Clock& clock_;
  std::unique_ptr<Span> span_;  // null: not recorded
};

// Writes one line about an answer: of level debug, or warn where the server failed. `pattern` is the route's.
void log_answer(const net::Request& request, std::string_view pattern, int status, Duration took);

}  // namespace dg::api
