#include <gtest/gtest.h>

#include "base/json.hpp"
#include "domain/run.hpp"
#include "domain/run_testing.hpp"

namespace dg::domain {
namespace {

using testing::fields_of;

// Writes and reads `event`, and compares every field.
template <class Event>
void expect_round_trip(std::string_view type, const Event& event) {
  EXPECT_EQ(type_of(event), type);
  const auto payload = payload_of(event);
  EXPECT_TRUE(json::validate(payload, json::worker_rules)) << payload;
  const auto read = run_event_from(type, payload);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_TRUE(std::holds_alternative<Event>(*read)) << type;
  EXPECT_EQ(fields_of(std::get<Event>(*read)), fields_of(event)) << payload;
}

TEST(RunCodec, EveryEventComesBack) {
  expect_round_trip("RunCreated", RunCreated{"t", "a", "g", testing::full_request(), R"({"k":[1]})",
                                             from_micros(-5), "ann"});
  expect_round_trip("RunCreated", RunCreated{});
  expect_round_trip("RunStarted", RunStarted{"s", "w", "rev", 3, 2});
  expect_round_trip("CheckpointSaved", CheckpointSaved{"c", "child:1|x", "rev"});
  expect_round_trip("RunRequiresAction", RunRequiresAction{});
  for (const auto action : {CancelAction::none, CancelAction::interrupt, CancelAction::rollback})
    expect_round_trip("RunCancelRequested", RunCancelRequested{action});
  expect_round_trip("RunCompleted", RunCompleted{"r2"});
  expect_round_trip("RunFailed", RunFailed{{"ValueError", "a \"quoted\"\n\x01 line, Grüße"}});
  expect_round_trip("RunCancelled", RunCancelled{});
  expect_round_trip("RunTimedOut", RunTimedOut{"too long"});
  expect_round_trip("LeaseExpired", LeaseExpired{"s", "gone", 7, from_micros(1'700'000'000'000'001)});
  expect_round_trip("RunDeleted", RunDeleted{"rolled back"});
}

TEST(RunCodec, RequestsComeBack) {
  const auto full = testing::full_request();
  EXPECT_EQ(fields_of(RunRequest::from_json(full.to_json())), fields_of(full));
  EXPECT_EQ(fields_of(RunRequest::from_json(RunRequest{}.to_json())), fields_of(RunRequest{}));
  RunRequest silent;
  silent.stream_modes.clear();
  EXPECT_EQ(fields_of(RunRequest::from_json(silent.to_json())), fields_of(silent));
}

TEST(RunCodec, AbsentRequestFieldsKeepTheirDefaults) {
  EXPECT_EQ(fields_of(RunRequest::from_json("{}")), fields_of(RunRequest{}));
}

TEST(RunCodec, DocumentsAreSplicedByteForByte) {
  RunRequest request;
  request.input = R"({"b":1.10,"a":1e400,"b":2,"n":"\u0000"})";
  EXPECT_EQ(RunRequest::from_json(request.to_json()).input, request.input);
}

TEST(RunCodec, TheDeepestDocumentThatAClientMaySendComesBack) {
  RunRequest request;
  request.input =
      std::string(json::client_rules.max_depth, '[') + std::string(json::client_rules.max_depth, ']');
  expect_round_trip("RunCreated", RunCreated{"t", "a", "g", request, "{}", {}});
}

TEST(RunCodec, RefusesWhatItNeverWrote) {
  EXPECT_EQ(run_event_from("RunExploded", "{}").error().code, Errc::internal);
  EXPECT_EQ(run_event_from("", "{}").error().code, Errc::internal);
  EXPECT_EQ(run_event_from("RunCancelled", "").error().code, Errc::internal);
  EXPECT_EQ(run_event_from("RunCancelled", "[]").error().code, Errc::internal);
  EXPECT_EQ(run_event_from("RunCancelled", "{\"a\"").error().code, Errc::internal);
  EXPECT_EQ(run_event_from("RunTimedOut", "{}").error().code, Errc::internal);
  EXPECT_EQ(run_event_from("RunTimedOut", R"({"message":1})").error().code, Errc::internal);
  EXPECT_EQ(run_event_from("RunCancelRequested", R"({"action":"explode"})").error().code, Errc::internal);
  EXPECT_EQ(run_event_from("LeaseExpired", R"({"session_id":"","reason":"","epoch":1.5,"not_before":0})")
                .error()
                .code,
            Errc::internal);
  const std::string ids = R"({"thread_id":"","assistant_id":"","graph_id":"","metadata":{},"not_before":0)";
  EXPECT_EQ(run_event_from("RunCreated", ids + "}").error().code, Errc::internal);
  EXPECT_EQ(run_event_from("RunCreated", ids + R"(,"request":[]})").error().code, Errc::internal);
  EXPECT_TRUE(run_event_from("RunCreated", ids + R"(,"request":{}})"));
}

TEST(RunCodec, TheErrorNamesTheField) {
  EXPECT_NE(run_event_from("RunStarted", R"({"session_id":"s"})").error().message.find("worker"),
            std::string::npos);
}

}  // namespace
}  // namespace dg::domain
