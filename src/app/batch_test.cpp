#include <gmock/gmock.h>

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

class BatchTest : public AppTest {
 protected:
  Result<std::vector<domain::Run>> create_all(std::vector<std::string> assistants) {
    std::vector<RunOrder> orders;
    for (auto& assistant : assistants) {
      auto order = TestServer::order();
      order.assistant = std::move(assistant);
      orders.push_back(std::move(order));
    }
    return server_.wait(server_.app().runs.create_all(the_server, std::move(orders)));
  }
  std::size_t stored() { return server_.get(server_.app().runs.list(the_server, {}, {100, 0})).size(); }
};

TEST_F(BatchTest, RunsTakeTheFreeSlotsAndTheRestWaits) {
  TestWorker worker(server_, {.slots = 2});
  const auto runs = create_all({"agent", "planner", "agent"});
  ASSERT_TRUE(runs) << runs.error().message;
  ASSERT_EQ(runs->size(), 3U);
  EXPECT_EQ(runs->at(0).state, domain::RunState::in_progress);
  EXPECT_EQ(runs->at(1).graph_id, "planner");
  EXPECT_EQ(runs->at(2).state, domain::RunState::queued);
  EXPECT_EQ(worker.got<LeaseOffer>().size(), 2U);
  EXPECT_EQ(stored(), 3U);
}

TEST_F(BatchTest, OneMistakeMakesNoneAndGivesTheSlotsBack) {
  TestWorker worker(server_, {.slots = 1});
  const auto runs = create_all({"agent", "nobody"});
  ASSERT_FALSE(runs);
  EXPECT_EQ(runs.error().code, Errc::not_found);
  EXPECT_EQ(stored(), 0U);
  EXPECT_EQ(server_.create().state, domain::RunState::in_progress);
}

}  // namespace
}  // namespace dg::app::testing
