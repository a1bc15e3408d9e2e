// The history of channels that are stored as changes.
#pragma once

#include "store/contract/contract.hpp"

namespace dg::store::contract {

TEST_P(StoreContract, HistoryEndsAtTheNearestStoredValue) {
  const auto thread = add_thread();
  const auto put = [&](const std::string& id, const std::string& parent, const std::string& value) {
    apply(PutCheckpoint{make_checkpoint(thread, id, parent, value)},
          PutWrites{make_writes(thread, id, "task",
                                {{0, "messages", {"t", "w" + id + "a"}},
                                 {1, "other", {"t", "o" + id}},
                                 {2, "messages", {"t", "w" + id + "b"}}})});
  };
  put("1", "", "oldest");
  put("2", "1", "seed");
  put("3", "2", "");
  put("3x", "2", "");  // a fork that is not on the way
  put("4", "3", "");

  const auto history = get(store().channel_history(thread, "", "4", {"messages", "other", "unknown"}));
  ASSERT_EQ(history.size(), 3U);
  const auto data = [](const ChannelHistory& h) {
    std::string out;
    for (const auto& stored : h.writes) out += stored.write.value.data + " ";
    return out;
  };
  // The target's own writes are not part of it; those of the seed's checkpoint are.
  EXPECT_EQ(history[0].channel, "messages");
  EXPECT_EQ(data(history[0]), "w2a w2b w3a w3b ");
  EXPECT_EQ(history[0].seed.value().data, "seed");
  EXPECT_EQ(data(history[1]), "o1 o2 o3 ");
  EXPECT_FALSE(history[1].seed);
  EXPECT_TRUE(history[2].writes.empty());
  EXPECT_FALSE(history[2].seed);

  EXPECT_EQ(data(get(store().channel_history(thread, "", "", {"messages"}))[0]), "w2a w2b w3a w3b ");
  EXPECT_TRUE(get(store().channel_history(thread, "", "1", {"messages"}))[0].writes.empty());
  EXPECT_TRUE(get(store().channel_history(new_id(), "", "", {"messages"}))[0].writes.empty());
  EXPECT_TRUE(get(store().channel_history(thread, "", "4", {})).empty());
}

}  // namespace dg::store::contract
