// Threads with much finished work, which a store may keep in another form than what goes on: nobody can tell.
#pragma once

#include <fmt/format.h>

#include "store/contract/contract.hpp"

namespace dg::store::contract {

TEST_P(StoreContract, FinishedRunsAreReadAsTheyWerePut) {
  const auto thread = add_thread();
  Conversation conversation(thread);
  const auto runs = add_finished_runs(conversation, thread, 60);
  expect_holds(thread, conversation);

  for (const auto& run : runs) {
    EXPECT_EQ(get(store().run(run.id)).value().request.to_json(), run.request.to_json());
    const auto events = get(store().events(run.id));
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].type, "RunCreated");
    EXPECT_EQ(events[1].type, "RunCompleted");
    EXPECT_EQ(events[1].version, 2);
    EXPECT_EQ(events[1].thread_id, thread);
    EXPECT_LT(events[0].seq, events[1].seq);
    EXPECT_TRUE(is_uuid(events[0].id));
  }
  const auto listed = get(store().runs({thread, {}, {}}, {60, 0}));
  ASSERT_EQ(listed.size(), 60U);
  for (std::size_t i = 0; i < listed.size(); ++i)
    EXPECT_EQ(listed[i].request.input, runs[59 - i].request.input);

  const auto early = get(store().checkpoint(thread, "", "0005")).value();
  EXPECT_EQ(early.parent_id, "0004");
  EXPECT_EQ(early.checkpoint.data, "checkpoint 0005");
  ASSERT_EQ(early.writes.size(), 1U);
  EXPECT_EQ(early.writes[0].write.value.data, "w");
  const auto history = get(store().channel_history(thread, "", "0100", {"messages", "none"}));
  EXPECT_EQ(history[0].seed.value().data, conversation.expected().at("0099").first);
  EXPECT_EQ(history[0].writes.size(), 1U);
  EXPECT_EQ(history[1].writes.size(), 0U);
  EXPECT_FALSE(get(store().checkpoint(thread, "", "00055")));
  EXPECT_FALSE(get(store().checkpoint(thread, "sub", "0005")));
  EXPECT_FALSE(get(store().checkpoint(thread, "sub", "")));
}

TEST_P(StoreContract, ListsGoOverFinishedAndNewCheckpoints) {
  const auto thread = add_thread();
  const auto other = add_thread();
  // Workers whose clocks differ: the ids of runs interleave, and later runs have earlier ones.
  std::vector<std::string> expected;
  for (int i = 0; i < 60; ++i) {
    auto run = add_run(i % 10 == 9 ? other : thread, domain::RunState::in_progress);
    Commit created;
    created.appends.push_back(run_event(run.id, 0, run.thread_id));
    ASSERT_TRUE(commit(std::move(created)));
    for (int k = 0; k < 3; ++k) {
      auto c = make_checkpoint(run.thread_id, fmt::format("{:04}", i * 37 % 60 + 100 * k));
      c.run_id = run.id;
      c.metadata = fmt::format(R"({{"step":{}}})", k);
      if (k == 1) c.key.ns = i % 2 == 0 ? "sub" : "other";
      if (k == 1 && i % 2 == 0 && run.thread_id == thread) expected.push_back(c.key.checkpoint_id);
      apply(PutCheckpoint{c});
    }
    run.state = domain::RunState::completed;
    apply(PutRun{run});
  }
  std::ranges::sort(expected, std::greater{});

  const auto ids = [&](const CheckpointFilter& filter) {
    std::vector<std::string> out;
    for (const auto& state : get(store().states(filter))) out.push_back(state.key.checkpoint_id);
    EXPECT_TRUE(std::ranges::is_sorted(out, std::greater{}));
    return out;
  };
  EXPECT_EQ(ids({.thread_id = thread}).size(), 162U);
  EXPECT_EQ(ids({}).size(), 180U);
  EXPECT_EQ(ids({.ns = "sub"}).size(), expected.size());
  EXPECT_EQ(ids({.thread_id = thread, .ns = "sub"}), expected);
  EXPECT_EQ(ids({.thread_id = thread, .metadata = R"({"step":1})"}).size(), 54U);
  EXPECT_EQ(ids({.thread_id = thread, .ns = "sub", .checkpoint_id = expected[7]}), std::vector{expected[7]});
  EXPECT_EQ(ids({.thread_id = thread, .ns = "sub", .before = expected[7], .limit = 2}),
            (std::vector{expected[8], expected[9]}));
  EXPECT_EQ(get(store().state(thread, "sub", "")).value().key.checkpoint_id, expected[0]);
  for (const auto& tuple : get(store().checkpoints({.thread_id = thread, .limit = 200})))
    EXPECT_EQ(tuple.checkpoint.data, "checkpoint " + tuple.key.checkpoint_id);
}

TEST_P(StoreContract, FinishedWorkCanStillChange) {
  const auto thread = add_thread();
  Conversation conversation(thread);
  const auto runs = add_finished_runs(conversation, thread, 40);

  auto writes = make_writes(thread, "0004", "late", {{0, "x", {"t", "late"}}});
  apply(PutWrites{writes});
  EXPECT_EQ(get(store().checkpoint(thread, "", "0004")).value().writes.size(), 2U);
  auto again = writes;
  again.writes[0].value.data = "ignored";
  again.writes.push_back({-1, "y", {"t", "more"}});
  apply(PutWrites{again});
  const auto stored = get(store().checkpoint(thread, "", "0004")).value().writes;
  ASSERT_EQ(stored.size(), 3U);
  EXPECT_EQ(stored[0].write.value.data, "more");
  EXPECT_EQ(stored[1].write.value.data, "late");

  auto replaced = make_checkpoint(thread, "0006", "0005", "ignored");
  replaced.channel_versions = R"({"messages":"v0006"})";
  replaced.values.at(0).version = "v0006";
  replaced.projection = conversation.expected().at("0006").second;
  replaced.metadata = R"({"step":6})";
  apply(PutCheckpoint{replaced});
  EXPECT_EQ(get(store().checkpoint(thread, "", "0006")).value().metadata, replaced.metadata);

  Commit fact;
  fact.appends.push_back(run_event(runs[3].id, 2, thread, "RunResumed"));
  auto run = runs[3];
  run.resumed_by = "another";
  fact.changes.emplace_back(PutRun{run});
  ASSERT_TRUE(commit(std::move(fact)));
  const auto events = get(store().events(run.id));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[2].type, "RunResumed");
  EXPECT_EQ(events[2].version, 3);
  EXPECT_EQ(get(store().run(run.id)).value().resumed_by, "another");
  EXPECT_EQ(get(store().run(run.id)).value().version, 3);
  EXPECT_EQ(get(store().run(runs[4].id)).value().request.input, runs[4].request.input);
  expect_holds(thread, conversation);
}

TEST_P(StoreContract, AForkHasTheValuesOfItsFinishedParent) {
  const auto thread = add_thread();
  Conversation conversation(thread);
  add_finished_runs(conversation, thread, 40);
  auto fork = make_checkpoint(thread, "9001", "0007");
  fork.channel_versions = R"({"messages":"v0007"})";
  apply(PutCheckpoint{fork});
  const auto value = [&](const std::string& id) {
    return get(store().checkpoint(thread, "", id)).value().values.at(0).value.data;
  };
  EXPECT_EQ(value("9001"), conversation.expected().at("0007").first);
  // One that names no parent has them all the same.
  auto alone = make_checkpoint(thread, "9002");
  alone.channel_versions = R"({"messages":"v0009"})";
  apply(PutCheckpoint{alone});
  EXPECT_EQ(value("9002"), conversation.expected().at("0009").first);
  EXPECT_EQ(value("0007"), conversation.expected().at("0007").first);
}

// As update_state makes them with as_node "__copy__": they name the versions of one checkpoint and have the
// parent of that one.
TEST_P(StoreContract, ACopyHasTheValuesOfAFinishedCheckpointWhereverItsParentIs) {
  const auto thread = add_thread();
  Conversation conversation(thread);
  add_finished_runs(conversation, thread, 40);
  for (int number = 2; number <= 40; ++number) {
    const auto parent = fmt::format("{:04}", number - 1);
    const auto source = fmt::format("{:04}", number);
    auto copy = make_checkpoint(thread, fmt::format("{}", 9000 + number), parent);
    copy.channel_versions = fmt::format(R"({{"messages":"v{}"}})", source);
    apply(PutCheckpoint{copy});
    const auto read = get(store().checkpoint(thread, "", copy.key.checkpoint_id)).value();
    ASSERT_EQ(read.values.size(), 1U) << number;
    EXPECT_EQ(read.values.front().value.data, conversation.expected().at(source).first) << number;
  }
}

TEST_P(StoreContract, AFinishedRunIsErasedAlone) {
  const auto thread = add_thread();
  Conversation conversation(thread);
  const auto runs = add_finished_runs(conversation, thread, 40);
  apply(EraseRun{runs[5].id});
  for (const auto* const id : {"0011", "0012"}) conversation.forget(id);
  EXPECT_FALSE(get(store().run(runs[5].id)));
  EXPECT_EQ(get(store().events(runs[5].id)).size(), 2U);
  expect_holds(thread, conversation);
  apply(EraseCheckpointsOfRun{runs[7].id});
  for (const auto* const id : {"0015", "0016"}) conversation.forget(id);
  EXPECT_EQ(get(store().run(runs[7].id)).value().request.input, runs[7].request.input);
  expect_holds(thread, conversation);
  const auto more = add_finished_runs(conversation, thread, 20);
  expect_holds(thread, conversation);
  EXPECT_EQ(get(store().events(more[0].id)).size(), 2U);
}

TEST_P(StoreContract, WhatIsNewestMayBeFinishedLongAgo) {
  const auto thread = add_thread();
  Conversation conversation(thread);
  const auto first = add_finished_runs(conversation, thread, 1);
  auto waiting = make_checkpoint(thread, "0002x", "0002");
  waiting.projection = R"({"values":{},"next":["n"],"tasks":[]})";
  waiting.run_id = first[0].id;
  apply(PutCheckpoint{waiting});
  const auto later = add_finished_runs(conversation, thread, 40);
  EXPECT_EQ(status_of(thread), domain::ThreadStatus::idle);
  for (const auto& run : later) apply(EraseRun{run.id});
  EXPECT_EQ(get(store().state(thread, "", "")).value().key.checkpoint_id, "0002x");
  EXPECT_EQ(status_of(thread), domain::ThreadStatus::interrupted);
  EXPECT_EQ(get(store().checkpoints({.thread_id = thread})).size(), 3U);
  EXPECT_EQ(get(store().checkpoint(thread, "", "0001")).value().values.at(0).value.data,
            conversation.expected().at("0001").first);
}

TEST_P(StoreContract, ACopyHasWhatWasFinished) {
  const auto source = add_thread();
  const auto target = add_thread();
  const auto used = add_thread();
  Conversation conversation(source);
  const auto runs = add_finished_runs(conversation, source, 40);
  apply(PutCheckpoint{make_checkpoint(used, "0000", "", "own")});
  apply(CopyCheckpoints{source, target}, CopyCheckpoints{source, used});
  expect_holds(target, conversation);
  EXPECT_EQ(get(store().checkpoints({.thread_id = used})).size(), 81U);
  EXPECT_EQ(get(store().checkpoint(used, "", "0000")).value().values.at(0).value.data, "own");
  EXPECT_EQ(get(store().state(used, "", "0033")).value().projection,
            conversation.expected().at("0033").second);
  apply(EraseRun{runs[2].id});
  expect_holds(target, conversation);
  apply(EraseThread{source});
  expect_holds(target, conversation);
  auto more = conversation.next();
  more.key.thread_id = target;
  apply(PutCheckpoint{more});
  expect_holds(target, conversation);
}

TEST_P(StoreContract, OfAnErasedThreadItsEventsStay) {
  const auto thread = add_thread();
  Conversation conversation(thread);
  const auto runs = add_finished_runs(conversation, thread, 40);
  apply(EraseThread{thread});
  EXPECT_TRUE(get(store().checkpoints({.thread_id = thread})).empty());
  EXPECT_TRUE(get(store().runs({thread, {}, {}}, {})).empty());
  EXPECT_FALSE(get(store().state(thread, "", "0003")));
  for (const auto& run : runs) EXPECT_EQ(get(store().events(run.id)).size(), 2U);
  // The same id may be used again.
  Conversation next(thread);
  add_finished_runs(next, thread, 40);
  expect_holds(thread, next);
}

TEST_P(StoreContract, FinishedCheckpointsGoAndTheLatestStay) {
  const auto thread = add_thread();
  Conversation conversation(thread);
  const auto runs = add_finished_runs(conversation, thread, 1);
  auto nested = make_checkpoint(thread, "0002", "", "nested");
  nested.key.ns = "sub";
  nested.run_id = runs[0].id;
  apply(PutCheckpoint{nested});
  add_finished_runs(conversation, thread, 39);
  apply(EraseCheckpoints{thread, true});
  EXPECT_EQ(get(store().checkpoints({.thread_id = thread})).size(), 2U);
  EXPECT_EQ(get(store().checkpoint(thread, "sub", "")).value().values.at(0).value.data, "nested");
  EXPECT_EQ(get(store().state(thread, "", "")).value().projection, conversation.expected().at("0080").second);
  EXPECT_EQ(get(store().run(runs[0].id)).value().request.input, runs[0].request.input);
  EXPECT_EQ(get(store().events(runs[0].id)).size(), 2U);
  apply(EraseCheckpoints{thread, false});
  EXPECT_TRUE(get(store().checkpoints({.thread_id = thread})).empty());
  EXPECT_EQ(get(store().events(runs[0].id)).size(), 2U);
}

}  // namespace dg::store::contract
