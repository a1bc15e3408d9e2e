#include "app/run_trace.hpp"

namespace dg::app {

std::string_view trace_id_of(const domain::Run& run) {
  const std::string_view header(run.request.traceparent);
  return header.size() < 35 ? std::string_view() : header.substr(3, 32);
}

std::optional<TraceContext> context_of_attempt(const domain::Run& run, bool traced) {
  if (run.request.traceparent.empty()) return std::nullopt;
  auto context = read_trace_context(run.request.traceparent, run.request.tracestate);
  if (context && traced) context->span_id = attempt_span_id(run.id, run.attempt);
  return context;
}

std::optional<Span> span_of_attempt(const RunMeters::Attempt& attempt, const domain::Run& run) {
  if (!attempt.running || run.request.traceparent.empty()) return std::nullopt;
  const auto creator = read_trace_context(run.request.traceparent, run.request.tracestate);
  if (!creator || !creator->sampled) return std::nullopt;
  const bool lost = run.state == domain::RunState::queued;
  Span span;
  span.context = *creator;
  span.context.span_id = attempt_span_id(run.id, run.attempt);
  span.parent = creator->span_id;
  span.name = "run " + run.graph_id;
  span.began = attempt.began;
  span.ended = run.updated_at;
  span.attributes = {{"duragraph.run.id", run.id},
                     {"duragraph.thread.id", run.thread_id},
                     {"duragraph.graph.id", run.graph_id},
                     {"duragraph.attempt", run.attempt},
                     {"duragraph.outcome", lost ? "lost" : std::string(to_string(run.state))}};
  if (lost) span.error = "its worker was lost";
  if (run.error) {
    span.error = run.error->error;
    span.attributes.emplace_back("error.type", run.error->error);
  }
  return span;
}

}  // namespace dg::app
