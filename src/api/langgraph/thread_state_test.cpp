#include <gmock/gmock.h>

#include "api/api_testing.hpp"

namespace dg::api::langgraph {
namespace {

using app::testing::checkpoint;
using app::testing::TestWorker;
using json::View;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string id_of(int n) {
  return "1f000000-0000-6000-8000-00000000000" + std::to_string(n);
}

// A thread with three checkpoints, of which the newest asks for something.
class ThreadStateRoutes : public testing::ApiTest {
 protected:
  ThreadStateRoutes() {
    const auto run = server_.create(thread_);
    for (const int n : {1, 2})
      worker_.say(run, n, checkpoint(id_of(n), R"({"n":)" + std::to_string(n) + "}"));
    worker_.say(run, 3,
                checkpoint(id_of(3), R"({"n":3})",
                           R"([{"id":"t","name":"ask","interrupts":[{"value":"ok?"}]}])", R"(["ask"])"));
    worker_.complete(run, 4, app::Outcome::interrupted);
  }
  std::vector<std::string> history(const net::Response& response) {
    std::vector<std::string> out;
    for (const auto state : View(response.body).elements())
      out.push_back(state["checkpoint"]["checkpoint_id"].string());
    return out;
  }

  TestWorker worker_{server_};
  std::string thread_ = server_.make_thread();
  std::string path_ = "/threads/" + thread_;
};

TEST_F(ThreadStateRoutes, TheNewestStateSaysWhatIsAsked) {
  const auto state = get(path_ + "/state");
  EXPECT_EQ(View(state.body)["values"].raw(), R"({"n":3})");
  EXPECT_EQ(View(state.body)["next"].raw(), R"(["ask"])");
  EXPECT_EQ(View(state.body)["interrupts"].raw(), R"([{"value":"ok?"}])");
  EXPECT_EQ(text_at(get(path_), "status"), "interrupted");
  EXPECT_EQ(View(get(path_).body)["interrupts"].raw(), R"({"t":[{"value":"ok?"}]})");
}

TEST_F(ThreadStateRoutes, AnOlderStateIsFoundByItsId) {
  EXPECT_EQ(View(get(path_ + "/state/" + id_of(1)).body)["values"].raw(), R"({"n":1})");
  const auto at = [&](const std::string& checkpoint) {
    return post(path_ + "/state/checkpoint", R"({"checkpoint":)" + checkpoint + "}");
  };
  EXPECT_EQ(View(at(R"({"checkpoint_id":")" + id_of(2) + "\"}").body)["values"].raw(), R"({"n":2})");
  EXPECT_EQ(View(at(R"({"thread_id":")" + thread_ + "\"}").body)["values"].raw(), R"({"n":3})");
  EXPECT_THAT(wrong_fields(at(R"({"thread_id":"other"})")), ElementsAre("checkpoint.thread_id"));
  EXPECT_EQ(get(path_ + "/state/" + id_of(9)).status, 404);
}

TEST_F(ThreadStateRoutes, AThreadWithoutCheckpointsHasAnEmptyState) {
  const auto state = get("/threads/" + server_.make_thread() + "/state");
  EXPECT_EQ(state.status, 200);
  EXPECT_EQ(View(state.body)["values"].raw(), "{}");
  EXPECT_TRUE(View(state.body)["checkpoint"]["checkpoint_id"].is_null());
}

TEST_F(ThreadStateRoutes, HistoryGoesBackwards) {
  EXPECT_THAT(history(get(path_ + "/history")), ElementsAre(id_of(3), id_of(2), id_of(1)));
  EXPECT_THAT(history(get(path_ + "/history?limit=2")), ElementsAre(id_of(3), id_of(2)));
  EXPECT_THAT(history(get(path_ + "/history?before=" + id_of(3))), ElementsAre(id_of(2), id_of(1)));
  const auto two = "\"" + id_of(2) + "\"";
  const auto of = [&](const std::string& body) { return history(post(path_ + "/history", body)); };
  EXPECT_THAT(of(R"({"before":)" + two + "}"), ElementsAre(id_of(1)));
  EXPECT_THAT(of(R"({"before":{"checkpoint_id":)" + two + "}}"), ElementsAre(id_of(1)));
  EXPECT_THAT(of(R"({"before":{"configurable":{"checkpoint_id":)" + two + R"(}},"limit":1})"),
              ElementsAre(id_of(1)));
  EXPECT_THAT(of(R"({"checkpoint":{"checkpoint_id":)" + two + "}}"), ElementsAre(id_of(2)));
}

TEST_F(ThreadStateRoutes, HistoryBeginsBeforeACheckpointOnly) {
  for (const auto* before : {R"("x")", "5", "{}", "[]", R"({"checkpoint_id":1})", R"({"configurable":{}})"})
    EXPECT_THAT(wrong_fields(post(path_ + "/history", std::string(R"({"before":)") + before + "}")),
                ElementsAre("before"))
        << before;
}

TEST_F(ThreadStateRoutes, WrongFieldsAreNamed) {
  EXPECT_THAT(
      wrong_fields(post(path_ + "/history", R"({"limit":0,"before":5,"checkpoint":{"checkpoint_ns":1}})")),
      ElementsAre("limit", "before", "checkpoint.checkpoint_ns"));
  EXPECT_THAT(wrong_fields(get(path_ + "/history?limit=many")), ElementsAre("limit"));
  EXPECT_THAT(wrong_fields(post(path_ + "/state", R"({"values":7,"as_node":1,"checkpoint":"c"})")),
              ElementsAre("values", "as_node", "checkpoint"));
  EXPECT_THAT(wrong_fields(post(path_ + "/state/checkpoint", R"({"checkpoint":[],"subgraphs":"x"})")),
              ElementsAre("checkpoint", "subgraphs"));
}

TEST_F(ThreadStateRoutes, AnUpdateIsAnsweredByAWorker) {
  server_.world.timers.call_at(server_.world.timers.now() + std::chrono::seconds(1), [this] {
    const auto request = worker_.got<app::WorkerRequest>().at(0);
    EXPECT_EQ(View(request.params)["values"].raw(), R"({"n": 4})");
    server_.app().workers.replied(request.id, std::string(R"({"checkpoint":{"checkpoint_id":"4"}})"));
  });
  const auto updated = post(path_ + "/state", R"({"values":{"n": 4},"as_node":"ask"})");
  EXPECT_EQ(updated.status, 200);
  EXPECT_EQ(View(updated.body)["checkpoint"]["checkpoint_id"].string(), "4");
}

TEST_F(ThreadStateRoutes, AGraphThatDoesNotExistIsNotFound) {
  const auto made = post("/threads", R"({"metadata":{"graph_id":"nobody"}})");
  const auto refused = post("/threads/" + text_at(made, "thread_id") + "/state", R"({"values":{}})");
  EXPECT_EQ(refused.status, 404);
  EXPECT_THAT(text_at(refused, "detail"), HasSubstr("agent, planner"));
}

TEST_F(ThreadStateRoutes, AnUpdateOfABusyThreadIsRefused) {
  server_.create(thread_);
  const auto refused = post(path_ + "/state", R"({"values":{}})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(text_at(refused, "code"), "busy");
}

}  // namespace
}  // namespace dg::api::langgraph
