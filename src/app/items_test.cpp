#include "app/items.hpp"

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using Labels = std::vector<std::string>;

TEST(CheckNamespace, NamesWhatIsWrong) {
  EXPECT_TRUE(check_namespace({"users", "ann"}));
  EXPECT_TRUE(check_namespace({"users", "langgraph"})) << "reserved as a root only";
  EXPECT_EQ(check_namespace({}).error().code, Errc::bad_request);
  for (const Labels& ns :
       {Labels{""}, Labels{"a", ""}, Labels{"a.b"}, Labels{"a", "."}, Labels{"langgraph", "x"}}) {
    const auto status = check_namespace(ns);
    ASSERT_FALSE(status) << ns.front();
    EXPECT_EQ(status.error().code, Errc::invalid_argument);
    EXPECT_EQ(status.error().fields.at(0).place, "namespace");
  }
}

using PutItem = AppTest;

TEST_F(PutItem, WritesReplacesAndDeletes) {
  auto& context = server_.app().context;
  const auto item = [this] { return server_.get(server_.store().item({"users"}, "ann")); };
  EXPECT_TRUE(server_.wait(put_item(context, the_server, {"users"}, "ann", R"({"a":1})")));
  const auto created = item()->created_at;
  server_.pass(std::chrono::seconds(1));
  EXPECT_TRUE(server_.wait(put_item(context, the_server, {"users"}, "ann", R"({"a":2})")));
  EXPECT_EQ(item()->value, R"({"a":2})");
  EXPECT_EQ(item()->created_at, created);
  EXPECT_GT(item()->updated_at, created);
  EXPECT_TRUE(server_.wait(put_item(context, the_server, {"users"}, "ann", "null")));
  EXPECT_FALSE(item());
  EXPECT_TRUE(server_.wait(put_item(context, the_server, {"users"}, "ann", "null")))
      << "deleting twice is no error";
  EXPECT_FALSE(server_.wait(put_item(context, the_server, {"langgraph"}, "ann", "{}")));
}

}  // namespace
}  // namespace dg::app::testing
