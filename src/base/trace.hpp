// Traces: W3C trace context, and the port that takes finished spans.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/env.hpp"

namespace dg {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

// A place in a trace, as it travels between programs (W3C Trace Context).
struct TraceContext {
  TraceId trace_id{};
  SpanId span_id{};
  bool sampled = false;
  std::string state;  // the tracestate header, carried along as it came; empty: none

  bool operator==(const TraceContext&) const = default;
};

std::string to_hex(const TraceId& id);
std::string to_hex(const SpanId& id);

// What the headers say; nothing where traceparent is not as the specification has it. A tracestate that is
// not, or is longer than anybody must carry, is left out.
std::optional<TraceContext> read_trace_context(std::string_view traceparent, std::string_view tracestate);
// The value of traceparent.
std::string to_traceparent(const TraceContext& context);

TraceId make_trace_id(Random& random);
SpanId make_span_id(Random& random);
// The span of a run's attempt, whichever process asks: what begins it need not be what ends it.
SpanId attempt_span_id(std::string_view run_id, std::int64_t attempt);

enum class SpanKind { internal = 1, server = 2, consumer = 5 };

// Something that took time, by OpenTelemetry's model. Names of attributes are its semantic conventions'.
struct Span {
  using Value = std::variant<std::string, std::int64_t>;

  TraceContext context;  // its own
  std::optional<SpanId> parent;
  std::string name;
  SpanKind kind = SpanKind::internal;
  WallTime began{};
  WallTime ended{};
  std::vector<std::pair<std::string, Value>> attributes;
  std::optional<std::string> error;  // why it failed
};

// Takes spans and decides which traces are recorded. Calls never wait.
class Tracer {
 public:
  virtual ~Tracer() = default;
  // Whether a trace that comes from `parent`, or begins here with `id`, is recorded.
  virtual bool samples(const std::optional<TraceContext>& parent, const TraceId& id) const = 0;
  // Of a sampled trace.
  virtual void record(Span span) = 0;
};

}  // namespace dg
