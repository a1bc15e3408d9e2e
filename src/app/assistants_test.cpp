#include "app/assistants.hpp"

#include <gmock/gmock.h>

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using ::testing::HasSubstr;

class AssistantsTest : public AppTest {
 protected:
  Assistants& assistants() { return server_.app().assistants; }
  domain::Assistant find(const std::string& reference) {
    return server_.get(assistants().get(the_server, reference));
  }
  void declare(const std::string& config, const std::string& description = "") {
    EXPECT_TRUE(server_.wait(assistants().declare("agent", description, config, "{}")));
  }
};

TEST_F(AssistantsTest, WhatIsDeclaredAnewIsANewVersion) {
  const std::string given = R"({"configurable":{"model":"small"}})";
  declare(given);
  EXPECT_EQ(find("agent").content.config, given);
  EXPECT_EQ(find("agent").newest_number, 2);
  declare(given);
  EXPECT_EQ(find("agent").newest_number, 2);
  declare("{}", "Answers");
  EXPECT_EQ(find("agent").newest_number, 3);
  EXPECT_EQ(find("agent").content.description, "Answers");
}

TEST_F(AssistantsTest, WhatPeopleChangedSinceItWasDeclaredStays) {
  AssistantPatch patch;
  patch.config = R"({"tags":["mine"]})";
  server_.get(assistants().patch(the_server, "agent", patch));
  declare("{}");
  EXPECT_EQ(find("agent").content.config, *patch.config);
}

TEST_F(AssistantsTest, AWorkersGraphHasOne) {
  TestWorker worker(server_,
                    {.graphs = {{"newcomer", "Comes later", "null"}, {"broken", "", R"({"error":"E"})"}}});
  EXPECT_EQ(find("newcomer").content.description, "Comes later");
  const auto missing = server_.wait(assistants().get(the_server, "nobody"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr("agent"));
}

TEST_F(AssistantsTest, TheOneThatAGraphHasByItselfIsNotDeleted) {
  AssistantPatch patch;
  patch.graph_id = "planner";
  server_.get(assistants().patch(the_server, "agent", patch));
  const auto refused = server_.wait(assistants().remove(the_server, "agent", true));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("\"agent\""));
  AssistantDraft draft;
  draft.graph_id = "agent";
  const auto other = server_.get(assistants().create(the_server, draft));
  EXPECT_TRUE(server_.wait(assistants().remove(the_server, other.id, false)));
  EXPECT_EQ(find("agent").id, default_assistant_id("agent"));
}

TEST_F(AssistantsTest, AGraphsNameFindsOneThatIsNotThereYet) {
  ASSERT_TRUE(server_.wait(server_.app().workers.declare_graph("fresh", "")));
  EXPECT_EQ(find("fresh").content.graph_id, "fresh");
}

}  // namespace
}  // namespace dg::app::testing
