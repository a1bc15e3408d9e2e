#include "api/langgraph/run_stream.hpp"

#include <gmock/gmock.h>

#include "api/api_testing.hpp"

namespace dg::api::langgraph {
namespace {

using app::testing::TestWorker;
using app::testing::values;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class StreamRoutes : public testing::ApiTest {
 protected:
  std::string path(const domain::Run& run, std::string_view rest = "") {
    return "/threads/" + run.thread_id + "/runs/" + run.id + std::string(rest);
  }
  domain::Run start() { return server_.create(server_.make_thread()); }

  TestWorker worker_{server_, {.slots = 4}};
};

TEST_F(StreamRoutes, ANewRunIsStreamedToItsEnd) {
  const auto thread = server_.make_thread();
  auto stream = follow(post("/threads/" + thread + "/runs/stream", R"({"assistant_id":"agent"})"));
  const auto run = worker_.leased();
  EXPECT_EQ(testing::header(stream->response, "Content-Type"), "text/event-stream");
  EXPECT_EQ(testing::header(stream->response, "Content-Location"), path(run));
  EXPECT_EQ(testing::header(stream->response, "Location"), path(run, "/stream"));
  EXPECT_THAT(stream->client->text, StartsWith("id: 0\nevent: metadata\ndata: {\"run_id\":\"" + run.id));
  worker_.say(run, 1, values(R"({"a":1})"));
  EXPECT_THAT(stream->client->text, HasSubstr("id: 1\nevent: values\ndata: {\"a\":1}\n\n"));
  EXPECT_FALSE(stream->ended);
  worker_.complete(run, 2);
  EXPECT_TRUE(stream->ended);
}

TEST_F(StreamRoutes, AReaderComesBackBehindItsLastFrame) {
  const auto run = start();
  worker_.say(run, 1, values("1"));
  worker_.say(run, 2, values("2"));
  worker_.complete(run, 3);
  const auto back = follow(get(path(run, "/stream"), {{"Last-Event-ID", "1"}}));
  EXPECT_EQ(back->client->text, "id: 2\nevent: values\ndata: 2\n\n");
  EXPECT_TRUE(back->ended);
  const auto whole = follow(get(path(run, "/stream"), {{"Last-Event-ID", "-1"}}));
  EXPECT_THAT(whole->client->text, StartsWith("id: 0\nevent: metadata\n"));
  EXPECT_EQ(get(path(run, "/stream"), {{"Last-Event-ID", "last"}}).status, 422);
}

TEST_F(StreamRoutes, APlaceThatTheRunDoesNotHaveIsNamed) {
  const auto run = start();
  worker_.say(run, 1, values("1"));
  const auto early = get(path(run, "/stream"), {{"Last-Event-ID", "2"}});
  EXPECT_THAT(wrong_fields(early), ::testing::ElementsAre("Last-Event-ID")) << "also while it is in flight";
  const auto newest = follow(get(path(run, "/stream"), {{"Last-Event-ID", "1"}}));
  EXPECT_FALSE(newest->ended);
  worker_.complete(run, 2);
  EXPECT_TRUE(newest->ended);
  EXPECT_EQ(get(path(run, "/stream"), {{"Last-Event-ID", "2"}}).status, 422);
  const auto end = follow(get(path(run, "/stream"), {{"Last-Event-ID", "1"}}));
  EXPECT_EQ(end->client->text, "");
  EXPECT_TRUE(end->ended);
}

TEST_F(StreamRoutes, ModesThatNobodyHasAreNamed) {
  const auto run = start();
  EXPECT_THAT(wrong_fields(get(path(run, "/stream?stream_mode=bogus&cancel_on_disconnect=x"))),
              ::testing::ElementsAre("stream_mode", "cancel_on_disconnect"));
  worker_.say(run, 1, app::testing::frames_of({{"values", "1"}, {"updates", "2"}, {"custom", "3"}}));
  worker_.complete(run, 2);
  const auto two = follow(get(path(run, "/stream?stream_mode=values,updates"), {{"Last-Event-ID", "0"}}));
  EXPECT_EQ(two->client->text, "id: 1\nevent: values\ndata: 1\n\nid: 2\nevent: updates\ndata: 2\n\n");
}

TEST_F(StreamRoutes, WhatARunWasIsToldAfterItsFramesAreDeleted) {
  const auto good = start();
  const auto bad = start();
  worker_.complete(good, 1);
  worker_.say(bad, 1, values("1"));
  worker_.complete(bad, 2, app::Outcome::error);
  server_.pass(std::chrono::minutes(10));
  const auto metadata = [](const domain::Run& run) {
    return "id: 0\nevent: metadata\ndata: {\"run_id\":\"" + run.id + "\",\"attempt\":1}\n\n";
  };
  const std::string error = "event: error\ndata: {\"error\":\"ValueError\",\"message\":\"no\"}\n\n";
  EXPECT_EQ(follow(get(path(good, "/stream")))->client->text, metadata(good));
  const auto whole = follow(get(path(bad, "/stream")));
  EXPECT_EQ(whole->client->text, metadata(bad) + "id: 1\n" + error);
  EXPECT_TRUE(whole->ended);
  const auto began = follow(get(path(bad, "/stream"), {{"Last-Event-ID", "0"}}));
  EXPECT_EQ(began->client->text, "id: 1\n" + error);
  for (const auto* last : {"1", "2", "41"}) {
    const auto back = follow(get(path(bad, "/stream"), {{"Last-Event-ID", last}}));
    EXPECT_EQ(back->client->text, "") << "it may have had the error";
    EXPECT_TRUE(back->ended);
  }
}

TEST_F(StreamRoutes, OnlyTheModesAskedForAreSentUnderTheirNumbers) {
  const auto run = start();
  worker_.say(run, 1, app::testing::frames_of({{"values", "1"}, {"updates", "2"}, {"updates|n:1", "3"}}));
  worker_.complete(run, 2);
  const auto stream = follow(get(path(run, "/stream?stream_mode=updates"), {{"Last-Event-ID", "0"}}));
  EXPECT_EQ(stream->client->text, "id: 2\nevent: updates\ndata: 2\n\nid: 3\nevent: updates|n:1\ndata: 3\n\n");
}

TEST_F(StreamRoutes, ASilentRunIsKeptAliveByHeartbeats) {
  const auto run = start();
  const auto stream = follow(get(path(run, "/stream"), {{"Last-Event-ID", "0"}}));
  server_.pass(seconds(16));
  EXPECT_EQ(stream->client->text, ": heartbeat\n\n: heartbeat\n\n: heartbeat\n\n");
  worker_.complete(run, 1);
}

TEST_F(StreamRoutes, AClientThatLeavesCancelsTheRunWhereItAskedFor) {
  const auto thread = server_.make_thread();
  const auto streamed = follow(
      post("/threads/" + thread + "/runs/stream", R"({"assistant_id":"agent","on_disconnect":"cancel"})"));
  const auto run = worker_.leased();
  streamed->client->close();
  server_.pass(seconds(1));
  EXPECT_TRUE(streamed->ended);
  EXPECT_EQ(server_.now(run).cancel, domain::CancelAction::interrupt);

  const auto other = start();
  const auto watched = follow(get(path(other, "/stream")));
  watched->client->close();
  server_.pass(seconds(6));
  EXPECT_TRUE(watched->ended);
  EXPECT_EQ(server_.now(other).cancel, domain::CancelAction::none);
  worker_.complete(other, 1);
}

TEST_F(StreamRoutes, AServerThatStopsCancelsNothing) {
  const auto run = start();
  const auto stream = follow(get(path(run, "/stream?cancel_on_disconnect=true")));
  stream->client->close(true);
  server_.pass(seconds(6));
  EXPECT_TRUE(stream->ended);
  EXPECT_EQ(server_.now(run).cancel, domain::CancelAction::none);
  worker_.complete(run, 1);
}

TEST_F(StreamRoutes, AServerThatStopsSendsReadersElsewhere) {
  const auto run = start();
  const auto early = follow(get(path(run, "/stream?cancel_on_disconnect=true"), {{"Last-Event-ID", "0"}}));
  const auto waiting = follow(get(path(run, "/join")));
  worker_.say(run, 1, values("1"));
  server_.app().streams.send_readers_away();
  server_.settle();
  const std::string sent_away = "retry: [1-9][0-9]+\n";
  EXPECT_TRUE(early->ended);
  EXPECT_TRUE(early->client->broken_off) << "or else it would be taken for complete";
  EXPECT_THAT(early->client->text, ::testing::MatchesRegex("id: 1\nevent: values\ndata: 1\n\n" + sent_away));
  const auto late = follow(get(path(run, "/stream")));
  EXPECT_TRUE(late->ended && late->client->broken_off);
  EXPECT_THAT(late->client->text,
              ::testing::ContainsRegex("\nid: 1\nevent: values\ndata: 1\n\n" + sent_away));
  EXPECT_FALSE(waiting->ended);
  EXPECT_EQ(server_.now(run).cancel, domain::CancelAction::none);
  worker_.complete(run, 2);
  EXPECT_TRUE(waiting->ended);
  const auto over = follow(get(path(run, "/stream"), {{"Last-Event-ID", "1"}}));
  EXPECT_FALSE(over->client->broken_off);
}

TEST_F(StreamRoutes, AWaitGivesTheResultAndWhiteSpaceUntilThen) {
  const auto waiting = follow(post("/runs/wait", R"({"assistant_id":"agent"})"));
  const auto run = worker_.leased();
  server_.pass(seconds(11));
  EXPECT_EQ(waiting->client->text, "\n\n");
  worker_.say(run, 1, values(R"({"answer":42})"));
  worker_.complete(run, 2);
  EXPECT_TRUE(waiting->ended);
  EXPECT_EQ(waiting->client->text, "\n\n{\"answer\":42}");
}

TEST_F(StreamRoutes, AJoinTellsOfAnErrorAndOfADeletion) {
  const auto run = start();
  const auto joined = follow(get(path(run, "/join")));
  worker_.complete(run, 1, app::Outcome::error);
  EXPECT_EQ(joined->client->text, R"({"__error__":{"error":"ValueError","message":"no"}})");

  const auto doomed = start();
  const auto lost = follow(get(path(doomed, "/join")));
  EXPECT_EQ(call(net::Method::del, "/threads/" + doomed.thread_id).status, 204);
  server_.settle();
  EXPECT_THAT(lost->client->text, HasSubstr("RunDeleted"));
  EXPECT_TRUE(lost->ended);
}

}  // namespace
}  // namespace dg::api::langgraph
