// Reads of checkpoints, their states and histories, and of frames.
#include <fmt/format.h>

#include "store/postgres/reads.hpp"
#include "store/postgres/testing/rows.hpp"

namespace dg::store::postgres {
namespace {

class ReadsCheckpointsTest : public testing::RowsTest {
 protected:
  static std::string large(char letter) { return std::string(2000, letter); }
  // A checkpoint of thread t with a small and a large channel.
  NewCheckpoint put(const std::string& id, const std::string& parent = "", bool with_value = true) {
    auto c = checkpoint("t", "", id);
    c.parent_id = parent;
    c.checkpoint = {"msgpack", "checkpoint\0" + id};
    c.channel_versions = R"({"text":"v)" + id + R"(","n":3,"empty":"v"})";
    if (with_value) c.values.push_back({"text", "v" + id, {"msgpack", large(id.back())}});
    c.metadata = R"({"step":)" + id + "}";
    c.projection = R"({"values":{"id":")" + id + R"(","text":")" + large(id.back()) + R"("},"next":[]})";
    put_checkpoint(c);
    return c;
  }
  void put_write_of(const std::string& id, const std::string& channel, const std::string& task = "a") {
    put_write({"t", "", id}, {task, "", {0, channel, {"t", channel + id}}});
  }
  std::string listed(CheckpointFilter filter) {
    std::string out, states;
    for (const auto& tuple : get(read_checkpoints(db(), filter))) out += tuple.key.checkpoint_id + " ";
    for (const auto& state : get(read_states(db(), filter))) states += state.key.checkpoint_id + " ";
    EXPECT_EQ(out, states);
    return out;
  }
  std::string failure(Task<Outcome<std::optional<CheckpointState>>> read) {
    const auto answer = loop_.wait(std::move(read));
    if (db().in_transaction()) insert("ROLLBACK");
    return answer ? "" : answer.error().message;
  }
};

TEST_F(ReadsCheckpointsTest, ACheckpointHasItsValuesAndWrites) {
  put("1");
  const auto expected = put("2", "1");
  put_value({"t", "", ""}, {"n", "3", {"json", std::string("\0\xff", 2)}});
  put_write({"t", "", "2"}, {"a", "~2", {1, "x", {"t", "a1"}}});
  put_write({"t", "", "2"}, {"a", "~2", {-1, "x", {"t", "a0"}}});
  put_write({"t", "", "2"}, {"b", "~1", {0, "x", {"t", "b0"}}});
  put_write({"t", "", "1"}, {"b", "~1", {0, "x", {"t", "other"}}});
  for (const auto* const id : {"", "2"}) {
    const auto tuple = get(read_checkpoint(db(), {"t", "", id})).value();
    EXPECT_EQ(tuple.key.checkpoint_id, "2");
    EXPECT_EQ(tuple.parent_id, "1");
    EXPECT_EQ(tuple.checkpoint.data, expected.checkpoint.data);
    EXPECT_EQ(tuple.metadata, R"({"step":2})");
    ASSERT_EQ(tuple.values.size(), 2U);
    EXPECT_EQ(tuple.values[0].channel, "text");
    EXPECT_EQ(tuple.values[0].value.data, large('2'));
    EXPECT_EQ(tuple.values[1].version, "3");
    EXPECT_EQ(tuple.values[1].value.data, std::string("\0\xff", 2));
    ASSERT_EQ(tuple.writes.size(), 3U);
    EXPECT_EQ(tuple.writes[0].task_id, "b");
    EXPECT_EQ(tuple.writes[1].write.value.data, "a0");
    EXPECT_EQ(tuple.writes[2].write.idx, 1);
  }
  const auto all = get(read_checkpoints(db(), {.thread_id = "t"}));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].writes.size(), 3U);
  EXPECT_EQ(all[1].writes.at(0).write.value.data, "other");
  EXPECT_EQ(all[1].values.at(0).value.data, large('1'));
  EXPECT_EQ(all[1].values.at(1).value.type, "json");
  EXPECT_FALSE(get(read_checkpoint(db(), {"t", "other", ""})));
  EXPECT_FALSE(get(read_checkpoint(db(), {"t", "", "3"})));
  EXPECT_FALSE(get(read_state(db(), {"?", "", ""})));
}

TEST_F(ReadsCheckpointsTest, StatesAreWhole) {
  auto expected = put("1").projection;
  EXPECT_EQ(get(read_state(db(), {"t", "", "1"})).value().projection, expected);
  expected = put("2", "1").projection;
  const auto newest = get(read_state(db(), {"t", "", ""})).value();
  EXPECT_EQ(newest.projection, expected);
  EXPECT_EQ(newest.parent_id, "1");
  EXPECT_EQ(get(read_states(db(), {.thread_id = "t"})).at(0).projection, expected);
}

TEST_F(ReadsCheckpointsTest, ListsFilterAndRunNewestFirst) {
  for (const auto* const id : {"1", "3", "2"}) put(id);
  auto nested = checkpoint("t", "sub", "4");
  put_checkpoint(nested);
  nested.key = {"u", "", "5"};
  nested.metadata = R"({"step":2})";
  put_checkpoint(nested);
  EXPECT_EQ(listed({}), "5 4 3 2 1 ");
  EXPECT_EQ(listed({.thread_id = "t"}), "4 3 2 1 ");
  EXPECT_EQ(listed({.thread_id = "t", .ns = ""}), "3 2 1 ");
  EXPECT_EQ(listed({.ns = "sub"}), "4 ");
  EXPECT_EQ(listed({.thread_id = "t", .ns = "", .before = "3"}), "2 1 ");
  EXPECT_EQ(listed({.thread_id = "t", .ns = "", .before = "3", .limit = 1}), "2 ");
  EXPECT_EQ(listed({.thread_id = "t", .checkpoint_id = "1"}), "1 ");
  EXPECT_EQ(listed({.metadata = R"({"step":2})"}), "5 2 ");
  EXPECT_EQ(listed({.metadata = R"({"step":2})", .limit = 1}), "5 ");
  EXPECT_EQ(listed({.thread_id = "?"}), "");
  EXPECT_EQ(listed({.limit = 2}), "5 4 ");
}

TEST_F(ReadsCheckpointsTest, AFilterIsFoundBehindManyOthers) {
  for (int i = 0; i < 450; ++i) {
    auto c = checkpoint("t", "", fmt::format("{:03}", i));
    c.metadata = i < 2 ? R"({"wanted":true})" : "{}";
    put_checkpoint(c);
  }
  EXPECT_EQ(listed({.thread_id = "t", .ns = "", .metadata = R"({"wanted":true})"}), "001 000 ");
}

TEST_F(ReadsCheckpointsTest, HistoryEndsAtTheNearestStoredValue) {
  put("1");
  put("2", "1");
  put("3", "2", false);
  put("4", "3", false);
  for (const auto* const id : {"1", "2", "3", "4"}) {
    put_write_of(id, "text", "b");
    put_write_of(id, "text", "a");
    put_write_of(id, "other", "c");
  }
  const auto data = [](const ChannelHistory& history) {
    std::string out;
    for (const auto& stored : history.writes) out += stored.task_id + stored.write.value.data + " ";
    return out;
  };
  for (const auto* const id : {"4", ""}) {
    const auto history = get(read_channel_history(db(), {"t", "", id}, {"text", "other", "unknown"}));
    ASSERT_EQ(history.size(), 3U);
    EXPECT_EQ(data(history[0]), "atext2 btext2 atext3 btext3 ");
    EXPECT_EQ(history[0].seed.value().data, large('2'));
    EXPECT_EQ(data(history[1]), "cother1 cother2 cother3 ");
    EXPECT_FALSE(history[1].seed);
    EXPECT_TRUE(history[2].writes.empty());
  }
  EXPECT_TRUE(get(read_channel_history(db(), {"t", "", "1"}, {"text"})).at(0).writes.empty());
  EXPECT_TRUE(get(read_channel_history(db(), {"?", "", ""}, {"text"})).at(0).writes.empty());
  EXPECT_TRUE(get(read_channel_history(db(), {"t", "", "4"}, {})).empty());
}

TEST_F(ReadsCheckpointsTest, HistoryMayBeLongAndNeverGoesRound) {
  for (int i = 1; i <= 600; ++i) {
    auto c = checkpoint("t", "", fmt::format("{:03}", i));
    c.parent_id = fmt::format("{:03}", i == 1 ? 300 : i - 1);
    put_checkpoint(c);
    put_write_of(c.key.checkpoint_id, "text");
  }
  const auto history = get(read_channel_history(db(), {"t", "", "600"}, {"text"})).at(0);
  ASSERT_EQ(history.writes.size(), 599U);
  EXPECT_EQ(history.writes.front().write.value.data, "text001");
  EXPECT_EQ(history.writes.back().write.value.data, "text599");
}

TEST_F(ReadsCheckpointsTest, WhatIsMissingIsAFailure) {
  put("1");
  insert("DELETE FROM checkpoint_series_parts");
  EXPECT_EQ(failure(read_state(db(), {"t", "", "1"})),
            "parts of a stored value are missing (series 1); run `duragraph verify`");
}

TEST_F(ReadsCheckpointsTest, FramesAreReadInPages) {
  const std::string first(1000, 'a');
  const auto state = R"({"n":1,"text":")" + large('s') + R"("})";
  put_segment("0190", 0, {{"e", first}, {"values", state}, {"e", "2"}});
  put_segment("0190", 3, {{"e", "3"}});
  put_segment("0190", 4, {{"e", "4"}, {"values", state}});
  const auto page = [&](std::int64_t from, std::size_t max_bytes) {
    const auto read = get(read_frames(db(), "0190", from, max_bytes));
    EXPECT_EQ(read.first, from);
    std::vector<std::string> out;
    for (const auto& frame : read.frames) out.push_back(frame.data);
    return out;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(page(0, std::numeric_limits<std::size_t>::max()), (Texts{first, state, "2", "3", "4", state}));
  EXPECT_EQ(page(0, 0), Texts{first});
  EXPECT_EQ(page(0, 1500), Texts{first});
  EXPECT_EQ(page(1, 100), Texts{state});
  EXPECT_EQ(page(2, 6), (Texts{"2", "3", "4"}));
  EXPECT_EQ(page(3, 3), (Texts{"3"}));
  EXPECT_EQ(page(4, 0), (Texts{"4"}));
  EXPECT_EQ(page(6, 100), Texts{});
  EXPECT_EQ(get(read_frame_count(db(), "0190")), 6);
  EXPECT_EQ(get(read_frame_count(db(), "?")), 0);
}

TEST_F(ReadsCheckpointsTest, TheLastFrameOfAnEventIsFound) {
  const auto state = R"({"text":")" + large('s') + R"("})";
  put_segment("0190", 0, {{"values", "1"}, {"early", "2"}, {"values", state}, {"x", "3"}});
  EXPECT_EQ(get(read_last_frame(db(), "0190", "values")).value().data, state);
  for (int i = 0; i < 40; ++i) put_segment("0190", 4 + i, {{"late", std::to_string(i)}});
  EXPECT_EQ(get(read_last_frame(db(), "0190", "values")).value().data, state);
  EXPECT_EQ(get(read_last_frame(db(), "0190", "early")).value().data, "2");
  EXPECT_EQ(get(read_last_frame(db(), "0190", "late")).value().data, "39");
  EXPECT_FALSE(get(read_last_frame(db(), "0190", "never")));
  EXPECT_FALSE(get(read_last_frame(db(), "?", "late")));
}

}  // namespace
}  // namespace dg::store::postgres
