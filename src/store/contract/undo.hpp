// What a run wrote to tasks of another run's checkpoint goes with the run.
#pragma once

#include "store/contract/contract.hpp"

namespace dg::store::contract {

namespace {
// A task's writes and patch, as text.
std::string task_text(const CheckpointTuple& tuple, const CheckpointState& state, std::string_view task) {
  std::string text;
  for (const auto& stored : tuple.writes)
    if (stored.task_id == task) text += fmt::format("{}={} ", stored.write.idx, stored.write.value.data);
  for (const auto shown : json::View(state.projection)["tasks"].elements())
    if (shown["id"].string() == task) text += std::string(shown["told"].raw());
  return text;
}
}  // namespace

class UndoContract : public StoreContract {
 protected:
  void SetUp() override {
    StoreContract::SetUp();
    thread_ = add_thread();
    first_ = add_run(thread_, domain::RunState::completed).id;
    auto c = make_checkpoint(thread_, "1");
    c.run_id = first_;
    c.projection = R"({"values":{},"next":["n"],"tasks":[{"id":"a","told":0},{"id":"b","told":0}]})";
    apply(PutCheckpoint{c});
    write(first_, "a", {{-3, "__interrupt__", {"t", "question"}}}, 1);
  }

  void write(const std::string& run, const std::string& task, std::vector<Write> writes, int told) {
    auto w = make_writes(thread_, "1", task, std::move(writes));
    w.task_patch = fmt::format(R"({{"told":{}}})", told);
    w.run_id = run;
    apply(PutWrites{w});
  }

  std::string add_writer() { return add_run(thread_, domain::RunState::completed).id; }

  std::string task(std::string_view id) {
    return task_text(get(store().checkpoint(thread_, "", "1")).value(),
                     get(store().state(thread_, "", "1")).value(), id);
  }

  std::string thread_;
  std::string first_;
};

TEST_P(UndoContract, AnAnswerGoesWithItsRun) {
  const auto answers = add_writer();
  write(answers, "a", {{-4, "__resume__", {"t", "yes"}}}, 2);
  write(answers, "a", {{-3, "__interrupt__", {"t", "another"}}, {0, "x", {"t", "1"}}}, 3);
  write(answers, "b", {{0, "x", {"t", "2"}}}, 4);
  EXPECT_EQ(task("a"), "-4=yes -3=another 0=1 3");
  EXPECT_EQ(task("b"), "0=2 4");
  apply(EraseRun{answers});
  EXPECT_EQ(task("a"), "-3=question 1");
  EXPECT_EQ(task("b"), "0");
  apply(EraseRun{answers});  // nothing is taken back twice
  write(add_writer(), "a", {{-4, "__resume__", {"t", "no"}}}, 5);
  EXPECT_EQ(task("a"), "-4=no -3=question 5");
}

TEST_P(UndoContract, ALaterRunsWritesStay) {
  const auto earlier = add_writer();
  const auto later = add_writer();
  write(earlier, "a", {{-4, "__resume__", {"t", "one"}}}, 2);
  write(later, "a", {{-4, "__resume__", {"t", "two"}}}, 3);
  write(later, "b", {{0, "x", {"t", "w"}}}, 4);
  apply(EraseRun{earlier});
  EXPECT_EQ(task("a"), "-4=two -3=question 3");
  apply(EraseRun{later});
  EXPECT_EQ(task("a"), "-3=question 1");
  EXPECT_EQ(task("b"), "0");
}

TEST_P(UndoContract, ItsOwnCheckpointGoesWhole) {
  const auto run = add_writer();
  write(run, "a", {{0, "x", {"t", "w"}}}, 2);
  auto own = make_checkpoint(thread_, "2", "1");
  own.run_id = run;
  auto writes = make_writes(thread_, "2", "c", {{0, "x", {"t", "w"}}});
  writes.run_id = run;
  apply(PutCheckpoint{own}, PutWrites{writes});
  apply(EraseRun{run});
  EXPECT_FALSE(get(store().checkpoint(thread_, "", "2")));
  EXPECT_EQ(task("a"), "-3=question 1");
}

TEST_P(UndoContract, WhatWasErasedDoesNotComeBack) {
  const auto run = add_writer();
  write(run, "a", {{0, "x", {"t", "w"}}}, 2);
  apply(PutCheckpoint{make_checkpoint(thread_, "2", "1")});
  apply(EraseCheckpoints{thread_, true});
  apply(EraseRun{run});
  EXPECT_FALSE(get(store().checkpoint(thread_, "", "1")));
  auto again = make_checkpoint(thread_, "1");
  apply(PutCheckpoint{again});
  EXPECT_TRUE(get(store().checkpoint(thread_, "", "1")).value().writes.empty());
}

TEST_P(UndoContract, ACopyKeepsWhatARunWrote) {
  const auto run = add_writer();
  write(run, "a", {{0, "x", {"t", "w"}}}, 2);
  const auto copy = add_thread();
  apply(CopyCheckpoints{thread_, copy});
  apply(EraseRun{run});
  EXPECT_EQ(task("a"), "-3=question 1");
  EXPECT_EQ(task_text(get(store().checkpoint(copy, "", "1")).value(),
                      get(store().state(copy, "", "1")).value(), "a"),
            "-3=question 0=w 2");
}

}  // namespace dg::store::contract
