#include "base/trace.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

namespace dg {
namespace {

constexpr std::string_view given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContext, IsReadAndWrittenAsItCame) {
  const auto context = read_trace_context(given, "congo=t61rcWkgMzE, rojo@tenant=00f067aa0ba902b7");
  ASSERT_TRUE(context);
  EXPECT_EQ(to_hex(context->trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(to_hex(context->span_id), "00f067aa0ba902b7");
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(context->state, "congo=t61rcWkgMzE, rojo@tenant=00f067aa0ba902b7");
  EXPECT_EQ(to_traceparent(*context), given);
}

TEST(TraceContext, OnlyTheFirstFlagIsUnderstood) {
  const std::string start(given.substr(0, 53));
  EXPECT_FALSE(read_trace_context(start + "00", "")->sampled);
  EXPECT_TRUE(read_trace_context(start + "ff", "")->sampled);
  EXPECT_FALSE(read_trace_context(start + "fe", "")->sampled);
}

TEST(TraceContext, ALaterVersionIsReadAsThisOne) {
  const std::string rest(given.substr(2));
  EXPECT_TRUE(read_trace_context("01" + rest, ""));
  EXPECT_TRUE(read_trace_context("cc" + rest + "-what-comes-then", ""));
  EXPECT_FALSE(read_trace_context("cc" + rest + "x", ""));
  EXPECT_FALSE(read_trace_context("00" + rest + "-x", ""));
  EXPECT_FALSE(read_trace_context("ff" + rest, ""));
}

TEST(TraceContext, WhatIsNoneIsNotRead) {
  for (const auto* const wrong : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                                  "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                                  "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                  "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                  "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                  "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
                                  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
                                  "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    EXPECT_FALSE(read_trace_context(wrong, "")) << wrong;
}

TEST(TraceContext, ATracestateThatIsNoneIsLeftOut) {
  for (const auto* const wrong : {"", ",", "a", "=b", "a=", "A=b", "a=b=c", "a=b\xc3\xa4", "a@b@c=d", "-a=b"})
    EXPECT_EQ(read_trace_context(given, wrong)->state, "") << wrong;
  std::string many;
  for (int i = 0; i < 32; ++i) many += fmt::format("k{}=v,", i);
  EXPECT_EQ(read_trace_context(given, many)->state, many);
  EXPECT_EQ(read_trace_context(given, many + "one=more")->state, "");
  EXPECT_EQ(read_trace_context(given, "a=" + std::string(256, 'b') + ",c=" + std::string(256, 'd'))->state,
            "");
}

TEST(SpanIds, AttemptsHaveTheirOwnWhoeverAsks) {
  std::set<SpanId> ids;
  for (const auto* const run :
       {"019ac0de-0000-7000-8000-000000000001", "019ac0de-0000-7000-8000-000000000002"})
    for (int attempt = 1; attempt <= 5; ++attempt) ids.insert(attempt_span_id(run, attempt));
  EXPECT_EQ(ids.size(), 10U);
  EXPECT_EQ(attempt_span_id("a", 1), attempt_span_id("a", 1));
}

TEST(SpanIds, AreNeverZero) {
  struct Zeros final : Random {
    std::uint64_t next() override { return 0; }
  } zeros;
  EXPECT_NE(make_trace_id(zeros), TraceId{});
  EXPECT_NE(make_span_id(zeros), SpanId{});
}

}  // namespace
}  // namespace dg
