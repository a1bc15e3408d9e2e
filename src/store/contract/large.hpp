// Large values, of which a store keeps what is new: each comes back exactly, whatever became of the others.
#pragma once

#include "store/contract/contract.hpp"

namespace dg::store::contract {

TEST_P(StoreContract, EveryVersionOfALargeValueComesBack) {
  const auto thread = add_thread();
  Conversation conversation(thread);
  for (int turn = 0; turn < 150; ++turn) apply(PutCheckpoint{conversation.next()});
  expect_holds(thread, conversation);
  EXPECT_EQ(get(store().thread(thread)).value().head->projection,
            conversation.expected().rbegin()->second.second);
  EXPECT_EQ(get(store().channel_history(thread, "", "0100", {"messages"}))[0].seed->data,
            conversation.expected().at("0099").first);
  EXPECT_EQ(get(store().threads({.values = R"({"after":"x"})"}, {})).total, 1);
}

TEST_P(StoreContract, LargeValuesGoWithoutTheOthers) {
  const auto thread = add_thread();
  Conversation conversation(thread);
  for (int turn = 1; turn <= 100; ++turn)
    apply(PutCheckpoint{conversation.next(turn % 3 == 0 ? "doomed" : "other")});
  apply(EraseCheckpointsOfRun{"doomed"});
  for (int turn = 3; turn <= 100; turn += 3) conversation.forget(Conversation::id_of(turn));
  expect_holds(thread, conversation);

  for (int turn = 101; turn <= 130; ++turn) apply(PutCheckpoint{conversation.next("late")});
  expect_holds(thread, conversation);
  apply(EraseRun{"late"});
  for (int turn = 101; turn <= 130; ++turn) conversation.forget(Conversation::id_of(turn));
  expect_holds(thread, conversation);

  for (int turn = 131; turn <= 140; ++turn) apply(PutCheckpoint{conversation.next("other")});
  apply(EraseCheckpoints{thread, true});
  for (int turn = 1; turn < 140; ++turn) conversation.forget(Conversation::id_of(turn));
  expect_holds(thread, conversation);
  apply(EraseCheckpoints{thread, false});
  EXPECT_TRUE(get(store().checkpoints({.thread_id = thread})).empty());
}

TEST_P(StoreContract, CopiesOfLargeValuesAreWholeAndTheirOwn) {
  const auto source = add_thread();
  const auto target = add_thread();
  const auto used = add_thread();
  Conversation conversation(source);
  for (int turn = 0; turn < 80; ++turn) apply(PutCheckpoint{conversation.next()});
  const auto run = add_run(source, domain::RunState::in_progress);
  apply(AppendFrames{run.id, source, {{"values", R"({"messages":")" + std::string(3000, 'q') + R"("})"}}});
  auto other = make_checkpoint(used, "0000", "", std::string(2000, 'o'));
  other.projection = R"({"values":{"messages":")" + std::string(2000, 'p') + R"("},"next":[],"tasks":[]})";
  apply(PutCheckpoint{other});
  apply(CopyCheckpoints{source, target}, CopyCheckpoints{source, used});
  expect_holds(target, conversation);
  EXPECT_EQ(get(store().state(used, "", "0000")).value().projection, other.projection);
  EXPECT_EQ(get(store().checkpoint(used, "", "0000")).value().values[0].value.data, std::string(2000, 'o'));
  EXPECT_EQ(get(store().state(used, "", "0080")).value().projection,
            conversation.expected().at("0080").second);
  EXPECT_EQ(get(store().checkpoint(used, "", "0042")).value().values[0].value.data,
            conversation.expected().at("0042").first);

  auto more = conversation.next();
  more.key.thread_id = target;
  apply(PutCheckpoint{more}, EraseThread{source});
  expect_holds(target, conversation);
}

TEST_P(StoreContract, FramesThatHoldStatesComeBack) {
  const auto thread = add_thread();
  const auto run = add_run(thread, domain::RunState::in_progress);
  Conversation conversation(thread);
  std::vector<Frame> expected;
  const auto append = [&](const std::string& event, const std::string& data) {
    expected.push_back({event, data});
    apply(AppendFrames{run.id, thread, {expected.back()}});
  };
  for (int turn = 0; turn < 100; ++turn) {
    // Before its checkpoint, after it, and of a subgraph.
    const auto checkpoint = conversation.next(run.id);
    if (turn % 2 == 0) append("values", conversation.values());
    apply(PutCheckpoint{checkpoint});
    append("values", conversation.values());
    append("values|sub:1", " " + conversation.values() + "\n");
    append("messages", "[" + conversation.values() + "]");
    if (turn % 10 == 0) append("values", "[" + conversation.values() + "]");
  }
  const auto check = [&] {
    const auto frames = get(store().frames(run.id, 0, 1U << 30)).frames;
    ASSERT_EQ(frames.size(), expected.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      ASSERT_EQ(frames[i].event, expected[i].event) << i;
      ASSERT_EQ(frames[i].data, expected[i].data) << i;
    }
    EXPECT_EQ(get(store().last_frame(run.id, "values")).value().data, conversation.values());
  };
  check();
  auto over = run;
  over.state = domain::RunState::completed;
  apply(PutRun{over});
  check();
  apply(EraseFrames{{run.id}});
  expect_holds(thread, conversation);
  apply(PutCheckpoint{conversation.next()});
  expect_holds(thread, conversation);
}

TEST_P(StoreContract, AReplacedCheckpointHasItsNewState) {
  const auto thread = add_thread();
  auto c = make_checkpoint(thread, "1", "", std::string(1000, 'v'));
  for (const char letter : {'a', 'b', 'c'}) {
    c.projection = R"({"values":{"text":")" + std::string(1000, letter) + R"("},"next":[],"tasks":[]})";
    apply(PutCheckpoint{c});
    EXPECT_EQ(get(store().state(thread, "", "")).value().projection, c.projection);
    EXPECT_EQ(get(store().checkpoint(thread, "", "")).value().values[0].value.data, std::string(1000, 'v'));
  }
}

TEST_P(StoreContract, LargeValuesGoOnAfterAnOpening) {
  if (!backend_->outlives_store()) GTEST_SKIP() << "nothing to open again";
  const auto thread = add_thread();
  Conversation conversation(thread);
  for (int turn = 0; turn < 70; ++turn) {
    apply(PutCheckpoint{conversation.next()});
    if (turn % 20 == 7) open();
  }
  expect_holds(thread, conversation);
}

}  // namespace dg::store::contract
