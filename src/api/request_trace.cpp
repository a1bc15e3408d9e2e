#include "api/request_trace.hpp"

#include <utility>

#include "api/request_limit.hpp"
#include "base/log.hpp"

namespace dg::api {
namespace {

std::optional<TraceContext> client_context(const net::Request& request) {
  const auto traceparent = request.header("traceparent");
  if (!traceparent) return std::nullopt;
  return read_trace_context(*traceparent, request.header("tracestate").value_or(""));
}

// A span that ends with whatever holds it: a body may never be written, or not to its end.
class OpenSpan {
 public:
  OpenSpan(Tracer& tracer, const Clock& clock, std::unique_ptr<Span> span)
      : tracer_(tracer), clock_(clock), span_(std::move(span)) {}
  ~OpenSpan() { end(); }
  OpenSpan(const OpenSpan&) = delete;
  OpenSpan& operator=(const OpenSpan&) = delete;

  void end() {
    if (!span_) return;
    span_->ended = clock_.now();
    tracer_.record(std::move(*std::exchange(span_, nullptr)));
  }

 private:
  Tracer& tracer_;
  const Clock& clock_;
  std::unique_ptr<Span> span_;
};

Task<void> stream_in_span(std::function<Task<void>(net::Stream&)> body, net::Stream& stream,
                          std::shared_ptr<OpenSpan> open) {
  co_await body(stream);
  open->end();
}

}  // namespace

RequestTrace::RequestTrace(const app::Context& context, net::Request& request)
    : tracer_(context.tracer), clock_(context.env.clock) {
  request.trace = client_context(request);
  if (tracer_ == nullptr) return;
  const auto parent = request.trace;
  TraceContext own;
  own.trace_id = parent ? parent->trace_id : make_trace_id(context.env.random);
  own.span_id = make_span_id(context.env.random);
  own.sampled = tracer_->samples(parent, own.trace_id);
  if (parent) own.state = parent->state;
  request.trace = own;
  if (!own.sampled) return;
  span_ = std::make_unique<Span>();
  span_->context = std::move(own);
  if (parent) span_->parent = parent->span_id;
  span_->kind = SpanKind::server;
  span_->began = clock_.now();
}

// Names and attributes are those of OpenTelemetry's conventions for HTTP servers.
void RequestTrace::answered(const net::Request& request, std::string_view pattern, net::Response& response) {
  if (!span_) return;
  const bool known = request.method != net::Method::other;
  const std::string method(known ? request.method_name() : "_OTHER");
  span_->name = known ? method : "HTTP";
  if (!pattern.empty()) span_->name.append(" ").append(pattern);
  auto& attributes = span_->attributes;
  attributes.emplace_back("http.request.method", method);
  attributes.emplace_back("url.path", request.path);
  if (!pattern.empty()) attributes.emplace_back("http.route", std::string(pattern));
  attributes.emplace_back("http.response.status_code", std::int64_t{response.status});
  attributes.emplace_back("duragraph.request.id", request.request_id);
  if (response.status >= 500) {
    attributes.emplace_back("error.type", std::to_string(response.status));
    span_->error = "";
  }
  auto open = std::make_shared<OpenSpan>(*tracer_, clock_, std::move(span_));
  if (!response.stream) return open->end();
  response.stream = [body = std::move(response.stream), open](net::Stream& stream) {
    return stream_in_span(body, stream, open);
  };
}

void log_answer(const net::Request& request, std::string_view pattern, int status, Duration took) {
  const auto level = status >= 500 && !is_probe(pattern) ? log::Level::warn : log::Level::debug;
  if (!log::enabled(level)) return;
  const auto code = std::to_string(status);
  const auto milliseconds = fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(took).count());
  const auto trace_id = request.trace ? to_hex(request.trace->trace_id) : "";
  const auto span_id = request.trace ? to_hex(request.trace->span_id) : "";
  log::write(level,
             {{"request_id", request.request_id},
              {"trace_id", trace_id},
              {"span_id", span_id},
              {"method", request.method_name()},
              {"route", pattern.empty() ? "none" : pattern},
              {"status", code},
              {"duration_ms", milliseconds},
              {"user", request.user ? std::string_view(*request.user) : std::string_view()}},
             "answered a request");
}

}  // namespace dg::api
