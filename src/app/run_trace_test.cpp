#include "app/run_trace.hpp"

#include <gmock/gmock.h>

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr const char* sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr const char* not_sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

class RunTrace : public AppTest {
 protected:
  domain::Run create_in(const char* traceparent) {
    auto order = TestServer::order();
    order.request.traceparent = traceparent;
    return server_.create(std::move(order));
  }
  const std::vector<Span>& spans() { return server_.tracer.spans; }
  static std::string said(const Span& span, const std::string& name) {
    for (const auto& [key, value] : span.attributes)
      if (key == name) return std::holds_alternative<std::string>(value) ? std::get<std::string>(value) : "";
    return "";
  }
  std::string metrics() { return server_.metrics().render(); }
};

TEST_F(RunTrace, AnAttemptIsASpanOfTheTraceThatItsRunWasCreatedIn) {
  TestWorker worker(server_);
  const auto run = create_in(sampled);
  server_.pass(seconds(3));
  worker.complete(run, 1);
  ASSERT_EQ(spans().size(), 1U);
  const auto& span = spans().front();
  EXPECT_EQ(to_hex(span.context.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(to_hex(*span.parent), "00f067aa0ba902b7");
  EXPECT_EQ(span.context.span_id, attempt_span_id(run.id, 1));
  EXPECT_EQ(span.name, "run agent");
  EXPECT_EQ(span.ended - span.began, seconds(3));
  EXPECT_EQ(said(span, "duragraph.outcome"), "completed");
  EXPECT_FALSE(span.error);
}

TEST_F(RunTrace, ALostAttemptAndTheNextAreTwoSpans) {
  TestWorker first(server_);
  const auto run = create_in(sampled);
  first.die();
  TestWorker second(server_);
  server_.pass(seconds(10));
  second.complete(second.leased(), 1, Outcome::error);
  ASSERT_EQ(spans().size(), 2U);
  EXPECT_EQ(said(spans()[0], "duragraph.outcome"), "lost");
  EXPECT_TRUE(spans()[0].error);
  EXPECT_EQ(said(spans()[1], "duragraph.outcome"), "failed");
  EXPECT_EQ(spans()[1].error, "ValueError");
  EXPECT_EQ(spans()[1].context.span_id, attempt_span_id(run.id, 2));
}

TEST_F(RunTrace, ACancelledAttemptBeganWithItsLease) {
  TestWorker worker(server_);
  const auto run = create_in(sampled);
  server_.pass(seconds(5));
  server_.get(server_.app().runs.cancel(the_server, run.id, domain::CancelAction::interrupt));
  server_.pass(seconds(1));
  worker.complete(run, 1, Outcome::cancelled);
  ASSERT_EQ(spans().size(), 1U);
  EXPECT_EQ(spans().front().ended - spans().front().began, seconds(6));
  EXPECT_EQ(said(spans().front(), "duragraph.outcome"), "cancelled");
}

TEST_F(RunTrace, WhatIsNotSampledOrNeverBeganHasNone) {
  const auto waiting = create_in(sampled);
  server_.get(server_.app().runs.cancel(the_server, waiting.id, domain::CancelAction::interrupt));
  TestWorker worker(server_);
  worker.complete(create_in(not_sampled), 1);
  worker.complete(create_in(""), 1);
  EXPECT_TRUE(spans().empty());
}

TEST_F(RunTrace, TheContextOutlivesTheProcess) {
  const auto run = create_in(sampled);
  server_.kill();
  server_.start();
  TestWorker worker(server_);
  EXPECT_EQ(worker.leased().request.traceparent, sampled);
  EXPECT_EQ(trace_id_of(worker.leased()), "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST_F(RunTrace, EventsNameTheRequestThatCausedThem) {
  Caller caller{.user = "somebody", .request_id = "request-1"};
  const auto run = server_.get(server_.app().runs.create(caller, TestServer::order()));
  server_.get(server_.app().runs.cancel(caller, run.id, domain::CancelAction::interrupt));
  for (const auto& event : server_.get(server_.store().events(run.id)))
    EXPECT_EQ(event.metadata, R"({"actor":"somebody","request_id":"request-1"})") << event.type;
}

TEST_F(RunTrace, TimesOfRunsAreMeasured) {
  const auto run = server_.create();
  server_.pass(seconds(7));
  TestWorker worker(server_);
  server_.pass(seconds(20));
  worker.complete(worker.leased(), 1);
  EXPECT_THAT(metrics(), HasSubstr("duragraph_run_queue_seconds_sum 7\n"));
  EXPECT_THAT(metrics(), HasSubstr("duragraph_run_attempt_seconds_sum 20\n"));
  EXPECT_THAT(metrics(), HasSubstr("duragraph_run_seconds_sum 27\n"));
  EXPECT_THAT(metrics(), HasSubstr("duragraph_runs_ended_total{state=\"completed\"} 1\n"));
}

TEST_F(RunTrace, APauseIsAnEndAndItsAnswerCompletesTheRun) {
  TestWorker worker(server_);
  const auto paused = server_.create();
  worker.complete(paused, 1, Outcome::interrupted);
  EXPECT_THAT(metrics(), HasSubstr("duragraph_runs_ended_total{state=\"requires_action\"} 1\n"));
  server_.create(paused.thread_id);
  EXPECT_THAT(metrics(), HasSubstr("duragraph_runs_ended_total{state=\"completed\"} 1\n"));
}

TEST_F(RunTrace, CommitsAreTimedAndRefusedOnesCounted) {
  server_.create();
  EXPECT_THAT(metrics(), Not(HasSubstr("duragraph_store_commit_seconds_count 0\n")));
  store::Commit stale;
  stale.conditions.emplace_back(store::Fence{"nobody", 1, 1, 1});
  EXPECT_FALSE(server_.wait(server_.store().commit(std::move(stale))));
  EXPECT_THAT(metrics(), HasSubstr("duragraph_store_commit_failures_total{reason=\"superseded\"} 1\n"));
}

}  // namespace
}  // namespace dg::app::testing
