#include "api/langgraph/shapes.hpp"

#include <gmock/gmock.h>

namespace dg::api::langgraph {
namespace {

using domain::RunState;
using json::View;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(StatusWord, IsLangGraphsAndReadsBack) {
  EXPECT_EQ(status_word(RunState::queued), "pending");
  EXPECT_EQ(status_word(RunState::cancelled), "interrupted");
  EXPECT_EQ(status_word(RunState::failed), "error");
  EXPECT_THAT(states_of("success"), ElementsAre(RunState::requires_action, RunState::completed));
  EXPECT_THAT(states_of("running"), ElementsAre(RunState::in_progress));
  EXPECT_THAT(states_of("timeout"), ElementsAre(RunState::timed_out));
  for (const auto* unknown : {"", "queued", "Pending", "done"})
    EXPECT_THAT(states_of(unknown), IsEmpty()) << unknown;
}

TEST(WriteRun, ShowsTheRequestAsItWasSent) {
  domain::Run run;
  run.id = "r";
  run.thread_id = "t";
  run.request.input = R"({"n": 12345678901234567890})";
  run.request.stream_modes = {"values", "updates"};
  run.metadata = R"({"m":1})";
  const auto text = to_text(run, write_run);
  ASSERT_TRUE(json::validate(text, json::client_rules)) << text;
  const View view(text);
  EXPECT_EQ(view["run_id"].string(), "r");
  EXPECT_EQ(view["status"].string(), "pending");
  EXPECT_EQ(view["multitask_strategy"].string(), "enqueue");
  EXPECT_EQ(view["kwargs"]["input"].raw(), R"({"n": 12345678901234567890})");
  EXPECT_EQ(view["kwargs"]["stream_mode"].raw(), R"(["values","updates"])");
  EXPECT_EQ(view["metadata"].raw(), R"({"m":1})");
}

store::CheckpointState state(std::string projection) {
  return {{"t", "", "c2"}, "c1", R"({"step":1})", std::move(projection)};
}

// One task has answered, one still asks.
constexpr const char* half_done =
    R"({"values":{"a":1},"next":["x","y"],"created_at":"2026-01-01","tasks":[
        {"id":"1","name":"x","interrupts":[{"value":"old"}],"result":{"a":2}},
        {"id":"2","name":"y","interrupts":[{"value":"new"}],"result":null}]})";

TEST(WriteState, IsTheCheckpointWithItsParent) {
  const auto text = to_text(state(half_done), write_state);
  const View view(text);
  EXPECT_EQ(view["values"].raw(), R"({"a":1})");
  EXPECT_EQ(view["next"].raw(), R"(["x","y"])");
  EXPECT_EQ(view["checkpoint"].raw(), R"({"thread_id":"t","checkpoint_ns":"","checkpoint_id":"c2"})");
  EXPECT_EQ(view["parent_checkpoint"]["checkpoint_id"].string(), "c1");
  EXPECT_EQ(view["interrupts"].elements().size(), 2u);
}

TEST(WriteState, TheNewestOneLeavesOutWhatIsDone) {
  const auto text = to_text(state(half_done), write_newest_state);
  const View view(text);
  EXPECT_EQ(view["next"].raw(), R"(["y"])");
  EXPECT_EQ(view["interrupts"].raw(), R"([{"value":"new"}])");
  EXPECT_EQ(view["tasks"].elements().size(), 2u);
  EXPECT_EQ(view["values"].raw(), R"({"a":1})");
}

TEST(WriteState, WithoutAProjectionItIsEmpty) {
  auto without = state("null");
  without.parent_id.clear();
  const auto text = to_text(without, write_state);
  const View view(text);
  EXPECT_EQ(view["values"].raw(), "{}");
  EXPECT_EQ(view["next"].raw(), "[]");
  EXPECT_TRUE(view["parent_checkpoint"].is_null());
}

TEST(WriteThread, ShowsWhoAsksAndWhatFailed) {
  store::ThreadRow row;
  row.thread.id = "t";
  row.thread.metadata = "{}";
  row.status = domain::ThreadStatus::error;
  row.error = domain::RunError{"ValueError", "no"};
  row.head = state(half_done);
  const auto text = to_text(row, write_thread);
  const View view(text);
  EXPECT_EQ(view["status"].string(), "error");
  EXPECT_EQ(view["interrupts"].raw(), R"({"2":[{"value":"new"}]})");
  EXPECT_EQ(view["error"].raw(), R"({"error":"ValueError","message":"no"})");
  EXPECT_EQ(view["values"].raw(), R"({"a":1})");
  row.head.reset();
  row.error.reset();
  const auto bare = to_text(row, write_thread);
  EXPECT_TRUE(View(bare)["values"].is_null() && View(bare)["error"].is_null());
  EXPECT_EQ(View(bare)["interrupts"].raw(), "{}");
}

TEST(Pick, KeepsTheNamedMembers) {
  EXPECT_EQ(pick(View(R"({"a":1,"b":[2],"c":3})"), {"c", "b", "z"}), R"({"b":[2],"c":3})");
  EXPECT_EQ(pick(View("{}"), {"a"}), "{}");
}

TEST(Pagination, TellsTheTotalAndWhatIsNext) {
  net::Response response;
  add_pagination(response, {10, 20}, 10, 35);
  EXPECT_THAT(response.headers, Contains(Pair("X-Pagination-Total", "35")));
  EXPECT_THAT(response.headers, Contains(Pair("X-Pagination-Next", "30")));
  for (const auto& [rows, total] : {std::pair(15u, 35), std::pair(0u, 5)}) {
    net::Response last;
    add_pagination(last, {10, 20}, rows, total);
    EXPECT_THAT(last.headers, ::testing::Not(Contains(Pair("X-Pagination-Next", ::testing::_))));
  }
}

}  // namespace
}  // namespace dg::api::langgraph
