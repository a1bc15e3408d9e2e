// Checkpoints with their values, writes and projections; copying and erasing them.
#pragma once

#include "store/contract/contract.hpp"

namespace dg::store::contract {

TEST_P(StoreContract, CheckpointHasTheValuesOfItsVersions) {
  const auto thread = add_thread();
  auto first = make_checkpoint(thread, "1", "", "one");
  first.channel_versions = R"({"messages":"v1","n":3,"empty":"v9"})";
  first.values.push_back({"n", "3", {"json", std::string("\0\xff", 2)}});
  first.metadata = R"({"source":"input"})";
  apply(PutCheckpoint{first});
  auto second = make_checkpoint(thread, "2", "1", "two");
  second.channel_versions = R"({"messages":"v2","n":3})";
  apply(PutCheckpoint{second});

  const auto tuple = get(store().checkpoint(thread, "", "")).value();
  EXPECT_EQ(tuple.key.checkpoint_id, "2");
  EXPECT_EQ(tuple.parent_id, "1");
  EXPECT_EQ(tuple.checkpoint.type, "msgpack");
  EXPECT_EQ(tuple.checkpoint.data, "checkpoint 2");
  ASSERT_EQ(tuple.values.size(), 2U);
  EXPECT_EQ(tuple.values[0].value.data, "two");
  EXPECT_EQ(tuple.values[1].value.data, std::string("\0\xff", 2));
  EXPECT_EQ(tuple.values[1].value.type, "json");

  const auto older = get(store().checkpoint(thread, "", "1")).value();
  EXPECT_EQ(older.values.size(), 2U);
  EXPECT_EQ(older.values[0].value.data, "one");
  EXPECT_EQ(older.metadata, R"({"source":"input"})");
  EXPECT_FALSE(get(store().checkpoint(thread, "other", "")));
  EXPECT_FALSE(get(store().checkpoint(thread, "", "3")));
}

TEST_P(StoreContract, CheckpointWithOneIdIsReplacedAndValuesStay) {
  const auto thread = add_thread();
  apply(PutCheckpoint{make_checkpoint(thread, "1", "", "one")});
  auto again = make_checkpoint(thread, "1", "0", "another");
  again.metadata = R"({"step":1})";
  apply(PutCheckpoint{again});
  const auto tuple = get(store().checkpoint(thread, "", "1")).value();
  EXPECT_EQ(tuple.metadata, R"({"step":1})");
  EXPECT_EQ(tuple.parent_id, "0");
  EXPECT_EQ(tuple.values.at(0).value.data, "one");
}

TEST_P(StoreContract, WritesAreOrderedAndRepeatable) {
  const auto thread = add_thread();
  apply(PutCheckpoint{make_checkpoint(thread, "1")});
  auto late = make_writes(thread, "1", "a",
                          {{0, "x", {"t", "a0"}}, {1, "x", {"t", "a1"}}, {-1, "__error__", {"t", "e"}}});
  late.task_path = "~2";
  auto early = make_writes(thread, "1", "b", {{0, "y", {"t", "b0"}}});
  early.task_path = "~1";
  apply(PutWrites{late}, PutWrites{early});
  late.writes = {{0, "x", {"t", "changed"}}, {-1, "__error__", {"t", "changed"}}};
  apply(PutWrites{late});

  const auto writes = get(store().checkpoint(thread, "", "1")).value().writes;
  std::vector<std::string> data;
  data.reserve(writes.size());
  for (const auto& stored : writes) data.push_back(stored.write.value.data);
  EXPECT_EQ(data, (std::vector<std::string>{"b0", "changed", "a0", "a1"}));
  EXPECT_EQ(writes[0].task_id, "b");
  EXPECT_EQ(writes[0].task_path, "~1");
  EXPECT_EQ(writes[1].write.idx, -1);
}

TEST_P(StoreContract, ListsFilterAndRunNewestFirst) {
  const auto thread = add_thread();
  const auto other = add_thread();
  for (const char* id : {"1", "3", "2"}) {
    auto c = make_checkpoint(thread, id);
    c.metadata = std::string(id) == "2" ? R"({"source":"loop","step":2})" : R"({"source":"input"})";
    apply(PutCheckpoint{c});
  }
  auto nested = make_checkpoint(thread, "4");
  nested.key.ns = "sub";
  apply(PutCheckpoint{nested}, PutCheckpoint{make_checkpoint(other, "5")});

  const auto ids = [&](CheckpointFilter filter) {
    std::string out;
    for (const auto& tuple : get(store().checkpoints(filter))) out += tuple.key.checkpoint_id;
    std::string states;
    for (const auto& state : get(store().states(filter))) states += state.key.checkpoint_id;
    EXPECT_EQ(out, states);
    return out;
  };
  EXPECT_EQ(ids({}), "54321");
  EXPECT_EQ(ids({.thread_id = thread}), "4321");
  EXPECT_EQ(ids({.thread_id = thread, .ns = ""}), "321");
  EXPECT_EQ(ids({.ns = "sub"}), "4");
  EXPECT_EQ(ids({.thread_id = thread, .ns = "", .before = "3"}), "21");
  EXPECT_EQ(ids({.thread_id = thread, .ns = "", .metadata = R"({"source":"input"})", .limit = 1}), "3");
  EXPECT_EQ(ids({.thread_id = thread, .ns = "", .metadata = R"({"step":2})"}), "2");
  EXPECT_EQ(ids({.thread_id = thread, .checkpoint_id = "1"}), "1");
  EXPECT_EQ(ids({.thread_id = new_id()}), "");
  EXPECT_EQ(ids({.limit = 2}), "54");
}

TEST_P(StoreContract, PatchesAreLaidOverTasks) {
  const auto thread = add_thread();
  auto early = make_writes(thread, "1", "t1", {});
  early.task_patch = R"({"result":{"a":1},"error":"first"})";
  apply(PutWrites{early});
  auto c = make_checkpoint(thread, "1");
  c.projection =
      R"({"values":{"x":1},"next":["n"],"tasks":[{"id":"t1","name":"n"},{"id":"t2","name":"m"}],"z":0})";
  apply(PutCheckpoint{c});
  early.task_patch = R"({"error":"second"})";
  apply(PutWrites{early});
  const auto state = get(store().state(thread, "", "")).value();
  EXPECT_EQ(
      state.projection,
      R"({"values":{"x":1},"next":["n"],"tasks":[{"id":"t1","name":"n","result":{"a":1},"error":"second"},)"
      R"({"id":"t2","name":"m"}],"z":0})");

  auto bare = make_checkpoint(thread, "2");
  bare.projection = "null";
  apply(PutCheckpoint{bare});
  EXPECT_EQ(get(store().state(thread, "", "2")).value().projection, "null");
}

TEST_P(StoreContract, CopyIsWholeAndItsOwn) {
  const auto source = add_thread();
  const auto target = add_thread();
  auto c = make_checkpoint(source, "1", "", "one");
  c.metadata = R"({"thread_id":")" + source + R"(","step":1})";
  c.run_id = "run";
  auto nested = make_checkpoint(source, "2", "", "nested");
  nested.key.ns = "sub";
  auto writes = make_writes(source, "1", "task", {{0, "x", {"t", "w"}}});
  writes.task_patch = R"({"a":1})";
  apply(PutCheckpoint{c}, PutCheckpoint{nested}, PutWrites{writes});
  apply(CopyCheckpoints{source, target});
  apply(EraseRun{"run"}, EraseThread{source});

  const auto copy = get(store().checkpoint(target, "", "")).value();
  EXPECT_EQ(copy.key.checkpoint_id, "1");
  EXPECT_EQ(json::View(copy.metadata)["thread_id"].string(), target);
  EXPECT_EQ(json::View(copy.metadata)["step"].integer(), 1);
  EXPECT_EQ(copy.values.at(0).value.data, "one");
  EXPECT_EQ(copy.writes.at(0).write.value.data, "w");
  EXPECT_EQ(get(store().checkpoint(target, "sub", "")).value().values.at(0).value.data, "nested");
  EXPECT_TRUE(get(store().thread(target)).value().head);
}

TEST_P(StoreContract, KeepLatestKeepsOneOfEachNamespace) {
  const auto thread = add_thread();
  auto nested = make_checkpoint(thread, "9");
  nested.key.ns = "sub";
  auto newest = make_checkpoint(thread, "2", "1", "two");
  newest.channel_versions = R"({"messages":"v2","old":"v0"})";
  auto first = make_checkpoint(thread, "1", "", "one");
  first.values.push_back({"old", "v0", {"t", "kept"}});
  apply(PutCheckpoint{first}, PutCheckpoint{newest}, PutCheckpoint{nested},
        PutWrites{make_writes(thread, "1", "t", {{0, "x", {"t", "w"}}})});
  apply(EraseCheckpoints{thread, true});
  EXPECT_EQ(get(store().checkpoints({.thread_id = thread})).size(), 2U);
  EXPECT_EQ(get(store().checkpoint(thread, "", "")).value().values.size(), 2U);

  // What only the older one used is gone: a checkpoint that names it finds nothing.
  auto asks = make_checkpoint(thread, "1");
  apply(PutCheckpoint{asks});
  const auto again = get(store().checkpoint(thread, "", "1")).value();
  EXPECT_TRUE(again.values.empty());
  EXPECT_TRUE(again.writes.empty());
}

TEST_P(StoreContract, CheckpointsOfARunAreErasedByWriterAndByMetadata) {
  const auto thread = add_thread();
  auto by_writer = make_checkpoint(thread, "2", "1", "two");
  by_writer.run_id = "run";
  auto by_metadata = make_checkpoint(thread, "3", "2", "three");
  by_metadata.metadata = R"({"run_id":"run"})";
  auto waiting = make_checkpoint(thread, "1", "", "one");
  waiting.projection = R"({"values":{},"next":["n"],"tasks":[]})";
  apply(PutCheckpoint{waiting}, PutCheckpoint{by_writer}, PutCheckpoint{by_metadata});
  EXPECT_EQ(status_of(thread), domain::ThreadStatus::idle);
  apply(EraseCheckpointsOfRun{"run"});
  EXPECT_EQ(get(store().checkpoint(thread, "", "")).value().key.checkpoint_id, "1");
  EXPECT_EQ(get(store().checkpoint(thread, "", "")).value().values.size(), 1U);
  EXPECT_EQ(status_of(thread), domain::ThreadStatus::interrupted);
}

}  // namespace dg::store::contract
