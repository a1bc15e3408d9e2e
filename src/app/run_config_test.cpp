#include "app/run_config.hpp"

#include <gtest/gtest.h>

#include "base/json.hpp"

namespace dg::app {
namespace {

using json::View;

class MergeConfig : public ::testing::Test {
 protected:
  // The merged config, valid until the next call.
  View merge(const std::string& config, const std::string& run_metadata = "{}",
             const std::string& checkpoint = "null") {
    text_ = merge_config(assistant_, thread_, config, run_metadata, checkpoint,
                         {"run", "thread", "assistant", "graph"}, 25);
    EXPECT_TRUE(json::validate(text_, json::client_rules)) << text_;
    return View(text_);
  }

  domain::Assistant assistant_;
  domain::Thread thread_;
  std::string text_;
};

TEST_F(MergeConfig, LaterSourcesWin) {
  assistant_.content.config = R"({"configurable":{"a":1,"b":1,"c":1}})";
  thread_.config = R"({"configurable":{"b":2,"c":2}})";
  const auto configurable = merge(R"({"configurable":{"c":3}})")["configurable"];
  EXPECT_EQ(configurable["a"].integer(), 1);
  EXPECT_EQ(configurable["b"].integer(), 2);
  EXPECT_EQ(configurable["c"].integer(), 3);
}

TEST_F(MergeConfig, TheServerAloneSaysWhoTheRunIs) {
  const auto config = merge(
      R"({"configurable":{"thread_id":"x","run_id":"x","graph_id":"x","assistant_id":"x","user_id":"root"},
                                "metadata":{"run_id":"x"}})");
  EXPECT_EQ(config["configurable"]["thread_id"].string(), "thread");
  EXPECT_EQ(config["configurable"]["run_id"].string(), "run");
  EXPECT_EQ(config["configurable"]["graph_id"].string(), "graph");
  EXPECT_EQ(config["configurable"]["assistant_id"].string(), "assistant");
  EXPECT_EQ(config["configurable"]["user_id"].string(), "");
  EXPECT_EQ(config["metadata"]["run_id"].string(), "run");
}

TEST_F(MergeConfig, WhatClientsMayNotSetIsLeftOut) {
  assistant_.content.config = R"({"configurable":{"__pregel_send":1}})";
  thread_.config = R"({"configurable":{"langgraph_auth_user":1}})";
  const auto configurable =
      merge(R"({"configurable":{"__pregel_resuming":true,"langgraph_auth_permissions":[],"mine":1}})")
          ["configurable"];
  EXPECT_FALSE(configurable.find("__pregel_send"));
  EXPECT_FALSE(configurable.find("__pregel_resuming"));
  EXPECT_FALSE(configurable.find("langgraph_auth_user"));
  EXPECT_FALSE(configurable.find("langgraph_auth_permissions"));
  EXPECT_EQ(configurable["mine"].integer(), 1);
}

TEST_F(MergeConfig, MetadataIsMergedFromEverySource) {
  assistant_.content.metadata = R"({"of":"assistant","a":1})";
  thread_.metadata = R"({"of":"thread","t":1})";
  const auto metadata = merge(R"({"metadata":{"c":1}})", R"({"of":"run","r":1})")["metadata"];
  EXPECT_EQ(metadata["of"].string(), "run");
  for (const auto* name : {"a", "t", "r", "c"}) EXPECT_EQ(metadata[name].integer(), 1) << name;
}

TEST_F(MergeConfig, TagsAddUpAndLimitsAreTheNearest) {
  EXPECT_EQ(merge("{}")["recursion_limit"].integer(), 25);
  assistant_.content.config = R"({"tags":["a"],"recursion_limit":50})";
  EXPECT_EQ(merge("{}")["recursion_limit"].integer(), 50);
  const auto config = merge(R"({"tags":["b"],"recursion_limit":7})");
  EXPECT_EQ(config["tags"].raw(), R"(["a","b"])");
  EXPECT_EQ(config["recursion_limit"].integer(), 7);
}

TEST_F(MergeConfig, WhatTheServerDoesNotKnowIsPassedOn) {
  assistant_.content.config = R"({"max_concurrency":3,"odd":{"a":1}})";
  const auto config = merge(R"({"odd":{"b":12345678901234567890}})");
  EXPECT_EQ(config["max_concurrency"].integer(), 3);
  EXPECT_EQ(config["odd"].raw(), R"({"b":12345678901234567890})");
}

TEST_F(MergeConfig, AForkIsAnAddress) {
  const auto configurable = merge(R"({"configurable":{"checkpoint_id":"old"}})", "{}",
                                  R"({"checkpoint_id":"c1","checkpoint_ns":""})")["configurable"];
  EXPECT_EQ(configurable["checkpoint_id"].string(), "c1");
}

TEST(MergeContext, ObjectsAreMergedAndAnythingElseReplaces) {
  domain::Assistant assistant;
  EXPECT_EQ(merge_context(assistant, "null"), "null");
  assistant.content.context = R"({"a":1,"b":1})";
  EXPECT_EQ(merge_context(assistant, "null"), R"({"a":1,"b":1})");
  EXPECT_EQ(merge_context(assistant, R"({"b":2})"), R"({"a":1,"b":2})");
  EXPECT_EQ(merge_context(assistant, R"(["x"])"), R"(["x"])");
}

TEST(ConfigForAttempt, AFurtherAttemptLeavesTheForkOutOnceTheRunHasACheckpoint) {
  domain::Run run;
  run.attempt = 2;
  run.request.config =
      R"({"configurable":{"checkpoint_id":"c","checkpoint_ns":"n","checkpoint_map":{},"a":1},"metadata":{"m":1}})";
  const auto first = config_for_attempt(run);
  EXPECT_EQ(View(first)["configurable"]["checkpoint_id"].string(), "c");
  EXPECT_EQ(View(first)["metadata"]["run_attempt"].integer(), 2);
  EXPECT_EQ(View(first)["metadata"]["m"].integer(), 1);
  run.has_checkpoint = true;
  const auto later = config_for_attempt(run);
  EXPECT_EQ(View(later)["configurable"].raw(), R"({"a":1})");
}

}  // namespace
}  // namespace dg::app
