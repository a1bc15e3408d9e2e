#include "otlp/exporter.hpp"

#include <gtest/gtest.h>

#include "base/json.hpp"

namespace dg::otlp {
namespace {

using json::View;

Span some_span() {
  Span span;
  span.context = *read_trace_context("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a=b");
  span.parent = SpanId{1, 2, 3, 4, 5, 6, 7, 8};
  span.name = "GET /ok";
  span.kind = SpanKind::server;
  span.began = from_micros(1'000'001);
  span.ended = from_micros(2'000'002);
  span.attributes = {{"url.path", std::string("/ok")}, {"http.response.status_code", std::int64_t{503}}};
  span.error = "it broke";
  return span;
}

// What collectors read is tested with a real one and the protocol's own definition (tests/deployment).
TEST(Encode, JsonHasHexadecimalIdsAndIntegersAsTexts) {
  const std::vector<Span> spans{some_span()};
  const auto text = encode(Protocol::json, {{{"service.name", "s"}}, "1.0"}, spans);
  ASSERT_TRUE(json::validate(text, json::client_rules));
  const auto resource = View(text)["resourceSpans"].elements().front();
  EXPECT_EQ(resource["resource"]["attributes"].raw(),
            R"([{"key":"service.name","value":{"stringValue":"s"}}])");
  const auto span = resource["scopeSpans"].elements().front()["spans"].elements().front();
  EXPECT_EQ(span["traceId"].string(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(span["parentSpanId"].string(), "0102030405060708");
  EXPECT_EQ(span["startTimeUnixNano"].string(), "1000001000");
  EXPECT_EQ(span["kind"].integer(), 2);
  EXPECT_EQ(span["attributes"].elements().back().raw(),
            R"({"key":"http.response.status_code","value":{"intValue":"503"}})");
  EXPECT_EQ(span["status"].raw(), R"({"message":"it broke","code":2})");
}

TEST(Verdict, OnlyWhatPassesIsTriedAgain) {
  for (const long again : {0, 429, 502, 503, 504}) EXPECT_EQ(verdict_on(again), Verdict::again) << again;
  for (const long refused : {400, 401, 404, 413, 500, 302})
    EXPECT_EQ(verdict_on(refused), Verdict::refused) << refused;
  EXPECT_EQ(verdict_on(200), Verdict::taken);
}

Settings to_nowhere(Sampler sampler) {
  Settings settings;
  settings.endpoint = "http://127.0.0.1:1/";
  settings.sampler = sampler;
  return settings;
}

TEST(Sampling, FollowsTheParentWhereThatIsAsked) {
  const Exporter never(to_nowhere({.ratio = 0, .by_parent = true}));
  TraceContext parent{.trace_id = {1}, .span_id = {1}, .sampled = true, .state = ""};
  EXPECT_TRUE(never.samples(parent, parent.trace_id));
  EXPECT_FALSE(never.samples(std::nullopt, parent.trace_id));
  parent.sampled = false;
  const Exporter always(to_nowhere({.ratio = 1, .by_parent = false}));
  EXPECT_TRUE(always.samples(parent, parent.trace_id));
}

TEST(Sampling, ARatioIsDecidedByTheIdAlone) {
  const Exporter quarter(to_nowhere({.ratio = 0.25, .by_parent = true}));
  const auto random = make_system_random();
  int sampled = 0;
  for (int i = 0; i < 10'000; ++i) sampled += quarter.samples(std::nullopt, make_trace_id(*random)) ? 1 : 0;
  EXPECT_NEAR(sampled, 2500, 300);
  TraceId low{};
  TraceId high{};
  high.fill(0xff);
  EXPECT_TRUE(quarter.samples(std::nullopt, low));
  EXPECT_FALSE(quarter.samples(std::nullopt, high));
}

TEST(Exporter, DropsWhatItsQueueHasNoRoomForAndCounts) {
  Exporter exporter(to_nowhere({}));
  for (int i = 0; i < 10'000; ++i) exporter.record(some_span());
  EXPECT_GT(exporter.counts().dropped_full, 0U);
  exporter.stop(std::chrono::milliseconds(0));
  const auto counts = exporter.counts();
  EXPECT_EQ(counts.exported, 0U);
  EXPECT_LE(counts.dropped_full + counts.dropped_failed, 10'000U);
}

}  // namespace
}  // namespace dg::otlp
