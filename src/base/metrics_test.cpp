#include "base/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dg {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, ACounterAddsUp) {
  Metrics metrics;
  auto& counter = metrics.counter("runs_total", "Runs", {{"graph", "agent"}});
  counter.add();
  counter.add(2.5);
  const auto text = metrics.render();
  EXPECT_THAT(text, HasSubstr("# HELP runs_total Runs\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE runs_total counter\n"));
  EXPECT_THAT(text, HasSubstr("runs_total{graph=\"agent\"} 3.5\n"));
}

TEST(Metrics, TheSameNameAndLabelsGiveTheSameObject) {
  Metrics metrics;
  auto& one = metrics.counter("hits_total", "Hits", {{"route", "/a"}});
  EXPECT_EQ(&one, &metrics.counter("hits_total", "Hits", {{"route", "/a"}}));
  auto& other = metrics.counter("hits_total", "Hits", {{"route", "/b"}});
  EXPECT_NE(&one, &other);
  one.add();
  other.add(2);
  EXPECT_THAT(metrics.render(), HasSubstr("hits_total{route=\"/a\"} 1\n"));
  EXPECT_THAT(metrics.render(), HasSubstr("hits_total{route=\"/b\"} 2\n"));
}

TEST(Metrics, AGaugeTellsTheLastValue) {
  Metrics metrics;
  auto& gauge = metrics.gauge("workers", "Connected workers");
  gauge.set(3);
  gauge.set(1);
  EXPECT_THAT(metrics.render(), HasSubstr("workers 1\n"));
  EXPECT_EQ(&gauge, &metrics.gauge("workers", "Connected workers"));
}

TEST(Metrics, AGaugeThatIsAskedForHasTheValueOfTheRender) {
  Metrics metrics;
  double value = 1;
  metrics.gauge_callback("queue", "Queued runs", {}, [&value] { return value; });
  EXPECT_THAT(metrics.render(), HasSubstr("queue 1\n"));
  value = 7;
  EXPECT_THAT(metrics.render(), HasSubstr("queue 7\n"));
}

TEST(Metrics, AHistogramCountsInBuckets) {
  Metrics metrics;
  auto& histogram = metrics.histogram("seconds", "Time", {}, {0.1, 1});
  for (const double value : {0.05, 0.1, 0.5, 20.0}) histogram.observe(value);
  const auto text = metrics.render();
  EXPECT_THAT(text, HasSubstr("seconds_bucket{le=\"0.1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("seconds_bucket{le=\"1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("seconds_bucket{le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("seconds_count 4\n"));
  EXPECT_THAT(text, HasSubstr("seconds_sum 20.65\n"));
}

TEST(Metrics, LabelValuesAreEscaped) {
  Metrics metrics;
  metrics.counter("odd_total", "Odd", {{"name", "a\"b\\c\nd"}}).add();
  const auto text = metrics.render();
  EXPECT_THAT(text, HasSubstr(R"(odd_total{name="a\"b\\c\nd"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("c\nd")));
}

}  // namespace
}  // namespace dg
