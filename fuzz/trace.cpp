// Trace context: what is read of a client's headers is written as the specification has it, and read again
// the same. An input is a traceparent and, behind a line break, a tracestate.
#include "base/trace.hpp"

#include "target.hpp"

namespace dg::fuzz {
namespace {

void check(std::string_view input) {
  const auto end = std::min(input.find('\n'), input.size());
  const auto tracestate = input.substr(std::min(end + 1, input.size()));
  const auto context = read_trace_context(input.substr(0, end), tracestate);
  if (!context) return;
  expect(context->trace_id != TraceId{} && context->span_id != SpanId{}, "ids are not zero", input);
  expect(context->state.empty() || context->state == tracestate, "tracestate is carried as it came", input);
  expect(context->state.size() <= 512, "tracestate is bounded", input);
  for (const char c : context->state)
    expect((c >= 0x20 && c <= 0x7e) || c == '\t', "tracestate can be a header again", input);
  expect(read_trace_context(to_traceparent(*context), context->state) == context, "it is read again the same",
         input);
}

const Registration trace_target("trace", 20'000, check);

}  // namespace
}  // namespace dg::fuzz
