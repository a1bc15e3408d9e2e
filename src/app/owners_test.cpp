#include "app/owners.hpp"

#include <gmock/gmock.h>

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class OwnersTest : public AppTest {
 protected:
  // What the run's worker said and became durable, without the frame of its creation.
  Texts said() {
    auto frames = server_.frames(run_);
    frames.erase(frames.begin());
    return frames;
  }
  std::vector<std::int64_t> acks() const {
    std::vector<std::int64_t> out;
    for (const auto& ack : worker_.got<Ack>()) out.push_back(ack.n);
    return out;
  }
  Status settled(const std::string& owner, std::int64_t n) {
    return server_.wait(
        server_.app().owners.settled(owner, 1, n, server_.world.timers.now() + std::chrono::seconds(5)));
  }

  Task<void> settle_and_drop(std::shared_ptr<int> /*held*/) {
    co_await server_.app().owners.settled(run_.id, 1, 1, SteadyTime::max());
  }

  TestWorker worker_{server_, {.slots = 2}};
  domain::Run run_ = server_.create(server_.make_thread());
};

TEST_F(OwnersTest, WhatWaitsIsAppliedInOrderAndAcknowledgedOnce) {
  for (std::int64_t n = 1; n <= 3; ++n) worker_.post(run_, n, values(std::to_string(n)));
  EXPECT_THAT(acks(), IsEmpty());
  server_.settle();
  EXPECT_THAT(said(), ElementsAre("values 1", "values 2", "values 3"));
  EXPECT_THAT(acks(), ElementsAre(3));
  EXPECT_EQ(server_.get(server_.store().lease(run_.id))->applied_n, 3);
}

TEST_F(OwnersTest, ARepeatedMessageIsAcknowledgedAndNotApplied) {
  worker_.say(run_, 1, values("1"));
  worker_.say(run_, 2, values("2"));
  worker_.say(run_, 1, values("1"));
  worker_.say(run_, 2, values("2"));
  worker_.say(run_, 3, values("3"));
  EXPECT_THAT(said(), ElementsAre("values 1", "values 2", "values 3"));
  EXPECT_THAT(acks(), ElementsAre(1, 2, 2, 2, 3));
  EXPECT_FALSE(worker_.link().closed);
}

// A worker that comes back sends again what the old connection may have delivered already.
TEST_F(OwnersTest, ARepeatThatArrivesWithItsOriginalIsAppliedOnce) {
  for (const std::int64_t n : {1, 2, 1, 2, 3}) worker_.post(run_, n, values(std::to_string(n)));
  server_.settle();
  EXPECT_THAT(said(), ElementsAre("values 1", "values 2", "values 3"));
  EXPECT_EQ(acks().back(), 3);
  EXPECT_EQ(server_.get(server_.store().lease(run_.id))->applied_n, 3);
}

TEST_F(OwnersTest, AGapBreaksTheProtocol) {
  worker_.say(run_, 1, values("1"));
  worker_.say(run_, 3, values("3"));
  ASSERT_TRUE(worker_.link().closed);
  EXPECT_EQ(worker_.link().closed->first, 4400);
  EXPECT_THAT(said(), ElementsAre("values 1"));
}

TEST_F(OwnersTest, AGapAmongMessagesThatWaitBreaksTheProtocolToo) {
  for (const std::int64_t n : {1, 3, 4}) worker_.post(run_, n, values(std::to_string(n)));
  server_.settle();
  ASSERT_TRUE(worker_.link().closed);
  EXPECT_EQ(worker_.link().closed->first, 4400);
  EXPECT_THAT(said(), ElementsAre("values 1"));
  EXPECT_EQ(server_.get(server_.store().lease(run_.id))->applied_n, 1);
}

TEST_F(OwnersTest, MessagesInTheWrongOrderBreakTheProtocol) {
  for (const std::int64_t n : {2, 1}) worker_.post(run_, n, values(std::to_string(n)));
  server_.settle();
  EXPECT_EQ(worker_.link().closed->first, 4400);
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(OwnersTest, AfterAGapTheWorkerComesBackAndSendsTheRest) {
  worker_.say(run_, 1, values("1"));
  worker_.say(run_, 3, values("3"));
  worker_.disconnect();
  const auto welcome = worker_.connect({{run_.id, run_.epoch}});
  ASSERT_TRUE(welcome);
  EXPECT_EQ(welcome->owned.at(0).applied_n, 1);
  for (const std::int64_t n : {2, 3}) worker_.say(run_, n, values(std::to_string(n)));
  EXPECT_THAT(said(), ElementsAre("values 1", "values 2", "values 3"));
}

TEST_F(OwnersTest, ACompletionIsRefusedWhileANumberIsMissing) {
  worker_.post(run_, 1, values("1"));
  worker_.post(run_, 3, CompleteSaid{});
  server_.settle();
  EXPECT_EQ(server_.now(run_).state, State::in_progress);
  EXPECT_EQ(worker_.link().closed->first, 4400);
}

TEST_F(OwnersTest, EverythingBeforeACompletionIsDurableWithIt) {
  worker_.post(run_, 1, values("1"));
  worker_.post(run_, 2, checkpoint("1", R"({"a":1})"));
  worker_.post(run_, 3, CompleteSaid{});
  server_.settle();
  EXPECT_EQ(server_.now(run_).state, State::completed);
  EXPECT_THAT(said(), ElementsAre("values 1"));
  EXPECT_TRUE(server_.get(server_.store().state(run_.thread_id, "", "1")));
  EXPECT_THAT(acks(), ElementsAre(3));
}

TEST_F(OwnersTest, TheEndSharesTheCommitOfWhatCameWithIt) {
  worker_.say(run_, 1, values("1"));
  const auto before = server_.store().load().commits;
  worker_.post(run_, 2, checkpoint("1", "{}"));
  worker_.post(run_, 3, values("2"));
  worker_.post(run_, 4, CompleteSaid{});
  server_.settle();
  EXPECT_EQ(server_.store().load().commits, before + 1);
  EXPECT_THAT(said(), ElementsAre("values 1", "values 2"));
  EXPECT_THAT(server_.events(run_),
              ElementsAre("RunCreated", "RunStarted", "CheckpointSaved", "RunCompleted"));
  EXPECT_TRUE(server_.now(run_).has_checkpoint);
}

// The end may be decided several times, which would take a copy each.
TEST_F(OwnersTest, MuchBeforeTheEndIsCommittedFirst) {
  const auto before = server_.store().load().commits;
  auto much = values("1");
  OwnerMessage message{.owner = run_.id, .epoch = run_.epoch, .n = 1, .body = much, .bytes = 1 << 20};
  server_.app().owners.receive(std::move(message), worker_.shared_link());
  worker_.post(run_, 2, CompleteSaid{});
  server_.settle();
  EXPECT_EQ(server_.store().load().commits, before + 2);
  EXPECT_EQ(server_.now(run_).state, State::completed);
  EXPECT_THAT(acks(), ElementsAre(2));
}

TEST_F(OwnersTest, ARollbackLeavesTheItemsThatWereWritten) {
  EXPECT_TRUE(server_.wait(server_.app().runs.cancel(the_server, run_.id, domain::CancelAction::rollback)));
  worker_.post(run_, 1, ItemsSaid{{{{"users", "ann"}, "likes", "1"}}});
  worker_.post(run_, 2, checkpoint("1", "{}"));
  worker_.post(run_, 3, values("1"));
  worker_.post(run_, 4, CompleteSaid{});
  server_.settle();
  EXPECT_FALSE(server_.exists(run_));
  EXPECT_TRUE(server_.get(server_.store().item({"users", "ann"}, "likes")));
  EXPECT_FALSE(server_.get(server_.store().state(run_.thread_id, "", "1")));
  EXPECT_TRUE(server_.frames(run_).empty());
}

// What it knew of the lease is read again: another instance may have applied messages meanwhile.
TEST_F(OwnersTest, AConnectionKnowsNothingOfTheOneBefore) {
  worker_.say(run_, 1, values("1"));
  worker_.disconnect();
  store::Commit elsewhere;
  elsewhere.conditions.emplace_back(store::Fence{run_.id, run_.epoch, 2, 3});
  ASSERT_TRUE(server_.wait(server_.store().commit(std::move(elsewhere))));
  const auto welcome = worker_.connect({{run_.id, run_.epoch}});
  ASSERT_TRUE(welcome);
  EXPECT_EQ(welcome->owned.at(0).applied_n, 3);
  worker_.say(run_, 4, values("4"));
  EXPECT_THAT(acks(), ElementsAre(4));
  EXPECT_THAT(said(), ElementsAre("values 1", "values 4"));
}

// Nothing tells the connection that the run has another owner; the commit notices.
TEST_F(OwnersTest, AnOwnerThatLostItsLeaseUnawaresIsSuperseded) {
  worker_.say(run_, 1, values("1"));
  store::Commit elsewhere;
  elsewhere.changes.emplace_back(store::DropLease{run_.id});
  ASSERT_TRUE(server_.wait(server_.store().commit(std::move(elsewhere))));
  worker_.say(run_, 2, values("2"));
  EXPECT_THAT(worker_.got<Superseded>(), SizeIs(1));
  EXPECT_THAT(said(), ElementsAre("values 1"));
}

TEST_F(OwnersTest, NothingFollowsTheEnd) {
  worker_.post(run_, 1, CompleteSaid{});
  worker_.post(run_, 2, values("2"));
  server_.settle();
  worker_.say(run_, 3, values("3"));
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(server_.now(run_).state, State::completed);
}

TEST_F(OwnersTest, ACompletionThatWasNotAcknowledgedIsSuperseded) {
  worker_.complete(run_, 1);
  worker_.complete(run_, 1);
  EXPECT_THAT(worker_.got<Superseded>(), SizeIs(1));
  EXPECT_EQ(server_.events(run_).back(), "RunCompleted");
  EXPECT_THAT(server_.events(run_), SizeIs(3));
}

TEST_F(OwnersTest, AnotherEpochOrAnUnknownOwnerIsSuperseded) {
  auto stale = run_;
  stale.epoch = 7;
  worker_.say(stale, 1, values("stale"));
  auto unknown = run_;
  unknown.id = make_uuid7(server_.world.env);
  worker_.say(unknown, 1, values("unknown"));
  ASSERT_THAT(worker_.got<Superseded>(), SizeIs(2));
  EXPECT_EQ(worker_.got<Superseded>()[0].epoch, 7);
  EXPECT_EQ(worker_.got<Superseded>()[1].owner, unknown.id);
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(OwnersTest, AnOwnerWritesOnItsOwnThreadOnly) {
  const auto other = server_.make_thread();
  auto saved = checkpoint("1", "{}");
  saved.checkpoint.key.thread_id = other;
  worker_.say(run_, 1, saved);
  WritesSaid writes;
  writes.writes.key = {other, "", "1"};
  writes.writes.task_id = "task";
  writes.writes.writes = {{0, "messages", {"msgpack", "x"}}};
  worker_.say(run_, 2, writes);
  EXPECT_FALSE(server_.get(server_.store().checkpoint(other, "", "")));
  const auto tuple = server_.get(server_.store().checkpoint(run_.thread_id, "", "1"));
  ASSERT_TRUE(tuple);
  EXPECT_THAT(tuple->writes, SizeIs(1));
}

TEST_F(OwnersTest, ACheckpointIsAFactOfTheRun) {
  worker_.say(run_, 1, checkpoint("1", "{}"));
  EXPECT_THAT(server_.events(run_), ElementsAre("RunCreated", "RunStarted", "CheckpointSaved"));
  EXPECT_TRUE(server_.now(run_).has_checkpoint);
}

TEST_F(OwnersTest, ItemsAreWrittenAndAnsweredWhenDurable) {
  OwnerMessage message;
  message.owner = run_.id;
  message.epoch = run_.epoch;
  message.n = 1;
  message.reply_id = 77;
  message.body = ItemsSaid{{{{"users", "ann"}, "likes", R"({"tea":true})"}, {{"users", "bob"}, "x", "{}"}}};
  server_.app().owners.receive(message, worker_.shared_link());
  EXPECT_THAT(worker_.got<Replied>(), IsEmpty());
  server_.settle();
  ASSERT_THAT(worker_.got<Replied>(), SizeIs(1));
  EXPECT_EQ(worker_.got<Replied>()[0].id, 77);
  EXPECT_EQ(server_.get(server_.store().item({"users", "ann"}, "likes"))->value, R"({"tea":true})");

  // The answer may have been lost: a repeat is answered again, and changes nothing.
  server_.app().owners.receive(message, worker_.shared_link());
  server_.settle();
  EXPECT_THAT(worker_.got<Replied>(), SizeIs(2));

  worker_.say(run_, 2, ItemsSaid{{{{"users", "ann"}, "likes", "null"}}});
  EXPECT_FALSE(server_.get(server_.store().item({"users", "ann"}, "likes")));
}

TEST_F(OwnersTest, AnOperationSettlesWhenItsMessagesAreDurable) {
  const auto thread = server_.make_thread();
  const auto lease = server_.get(server_.app().threads.begin(thread, worker_.session()));
  domain::Run operation;
  operation.id = lease.owner;
  operation.epoch = lease.epoch;
  EXPECT_EQ(settled(lease.owner, 1).error().code, Errc::invalid_argument);
  worker_.post(operation, 1, checkpoint("1", R"({"a":1})"));
  EXPECT_TRUE(settled(lease.owner, 1));
  EXPECT_TRUE(server_.get(server_.store().state(thread, "", "1")));
  EXPECT_TRUE(server_.wait(server_.app().threads.end(lease.owner)));
  EXPECT_EQ(settled(lease.owner, 1).error().code, Errc::superseded);
}

TEST_F(OwnersTest, WhoeverWaitsForAnOwnersMessagesGoesWithTheServer) {
  const auto held = std::make_shared<int>();
  const auto executor = server_.world.timers.executor();
  spawn(executor, "settle", settle_and_drop(held));
  worker_.post(run_, 1, values("1"));
  executor.context().poll_one();  // it waits now, and the message is not applied yet
  EXPECT_EQ(held.use_count(), 2);
  server_.kill();
  EXPECT_EQ(held.use_count(), 1);
}

// 1001 would have the worker come back and say the same again, for ever.
TEST_F(OwnersTest, ACompletionOfAnOperationBreaksTheProtocol) {
  const auto lease = server_.get(server_.app().threads.begin(server_.make_thread(), worker_.session()));
  domain::Run operation;
  operation.id = lease.owner;
  operation.epoch = lease.epoch;
  worker_.complete(operation, 1);
  ASSERT_TRUE(worker_.link().closed);
  EXPECT_EQ(worker_.link().closed->first, 4400);
}

}  // namespace
}  // namespace dg::app::testing
