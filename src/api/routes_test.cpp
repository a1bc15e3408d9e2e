// The paths of the API, asked as a client would.
#include <gmock/gmock.h>

#include "api/api_testing.hpp"

namespace dg::api::testing {
namespace {

using app::testing::TestWorker;
using json::View;
using net::Method;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* unknown_id = "018f0000-0000-7000-8000-000000000000";

class RoutesTest : public ApiTest {
 protected:
  std::string make_thread(const std::string& body = "{}") {
    return text_at(post("/threads", body), "thread_id");
  }
};

TEST_F(RoutesTest, WhatIsNotServedSaysSo) {
  const auto nothing = get("/nothing/here");
  EXPECT_EQ(nothing.status, 404);
  EXPECT_THAT(text_at(nothing, "detail"), HasSubstr("/nothing/here"));
  EXPECT_EQ(text_at(nothing, "request_id"), "request-1");
  EXPECT_THAT(text_at(get("//ok"), "detail"), HasSubstr("//ok"));
  const auto wrong_method = call(Method::put, "/threads", "{}");
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_THAT(*header(wrong_method, "Allow"), HasSubstr("POST"));
}

TEST_F(RoutesTest, LangGraphsPathsAreServedUnderBothPrefixes) {
  const auto thread = make_thread();
  EXPECT_EQ(get("/threads/" + thread).status, 200);
  EXPECT_EQ(get("/api/v1/threads/" + thread).body, get("/threads/" + thread).body);
  EXPECT_EQ(text_at(get("/api/v1/threads/" + std::string(unknown_id)), "error"), "not_found");
}

TEST_F(RoutesTest, IdsInPathsAreUuids) {
  for (const auto* path : {"/threads/1", "/threads/x/runs", "/threads/x/state", "/threads/x/history"}) {
    const auto answer = get(path);
    if (answer.status == 405) continue;
    EXPECT_EQ(answer.status, 422) << path;
    EXPECT_THAT(wrong_fields(answer), ElementsAre("thread_id")) << path;
  }
  EXPECT_THAT(wrong_fields(get("/threads/" + std::string(unknown_id) + "/runs/1")), ElementsAre("run_id"));
  EXPECT_EQ(get("/threads/" + std::string(unknown_id)).status, 404);
}

TEST_F(RoutesTest, EveryWrongFieldIsNamed) {
  const auto search =
      post("/threads/search", R"({"limit":0,"offset":-1,"status":"odd","sort_by":"x","metadata":[]})");
  EXPECT_EQ(search.status, 422);
  EXPECT_THAT(wrong_fields(search),
              ::testing::UnorderedElementsAre("limit", "offset", "status", "sort_by", "metadata"));
  EXPECT_EQ(text_at(search, "code"), "invalid_argument");
  EXPECT_THAT(wrong_fields(post("/threads", R"({"thread_id":"x","if_exists":"maybe"})")),
              ElementsAre("thread_id", "if_exists"));
  EXPECT_THAT(wrong_fields(post("/assistants", "{}")), ElementsAre("graph_id"));
  EXPECT_THAT(wrong_fields(post("/assistants/search", R"({"limit":1001})")), ElementsAre("limit"));
  EXPECT_THAT(wrong_fields(post("/runs", R"({"assistant_id":"agent","after_seconds":-5})")),
              ElementsAre("after_seconds"));
  EXPECT_THAT(wrong_fields(post("/runs/cancel", "{}")), ElementsAre("status"));
  EXPECT_EQ(post("/threads", "{").status, 400);
  EXPECT_EQ(post("/threads", "[]").status, 422);
}

TEST_F(RoutesTest, EveryWrongValueOfAQueryIsNamed) {
  const auto thread = "/threads/" + make_thread();
  for (const auto& path : {std::string("/api/v1/runs"), thread + "/runs"})
    EXPECT_THAT(wrong_fields(get(path + "?limit=x&status=zz&offset=-1")),
                ElementsAre("limit", "offset", "status"));
  EXPECT_THAT(wrong_fields(get(thread + "/runs?select=run_id,nothing")), ElementsAre("select"));
  EXPECT_THAT(wrong_fields(get(thread + "/state?subgraphs=banana")), ElementsAre("subgraphs"));
  EXPECT_THAT(wrong_fields(get(thread + "/history?limit=0&before=x")), ElementsAre("limit", "before"));
  EXPECT_THAT(wrong_fields(call(Method::del, "/assistants/agent?delete_threads=2")),
              ElementsAre("delete_threads"));
  EXPECT_THAT(wrong_fields(get("/assistants/agent/subgraphs?recurse=deep")), ElementsAre("recurse"));
  const auto run = thread + "/runs/" + unknown_id;
  EXPECT_THAT(wrong_fields(post(run + "/cancel?wait=soon&action=x", "")), ElementsAre("action", "wait"));
  EXPECT_THAT(wrong_fields(get(run + "/join?cancel_on_disconnect=x")), ElementsAre("cancel_on_disconnect"));
}

TEST_F(RoutesTest, IdsAreTheSameInEitherCase) {
  EXPECT_EQ(make_thread(R"({"thread_id":"ABCDEF00-0000-7000-8000-00000000000A"})"),
            "abcdef00-0000-7000-8000-00000000000a");
  for (const auto* id : {"abcdef00-0000-7000-8000-00000000000a", "ABCDEF00-0000-7000-8000-00000000000A"}) {
    EXPECT_EQ(get(std::string("/threads/") + id).status, 200);
    EXPECT_EQ(View(post("/threads/search", std::string(R"({"ids":[")") + id + "\"]}").body).elements().size(),
              1u);
  }
}

TEST_F(RoutesTest, AnEmptyListOfIdsIsNoThread) {
  make_thread();
  EXPECT_EQ(post("/threads/search", R"({"ids":[]})").body, "[]");
  EXPECT_EQ(post("/threads/count", R"({"ids":[]})").body, "0");
  EXPECT_THAT(wrong_fields(post("/threads/search", R"({"ids":["x"]})")), ElementsAre("ids"));
}

TEST_F(RoutesTest, ABatchNamesThePlaceOfEachMistakeAndMakesNothing) {
  const auto bad =
      post("/runs/batch", R"([{"assistant_id":"agent"},7,{"assistant_id":"agent","durability":"x"}])");
  EXPECT_EQ(bad.status, 422);
  EXPECT_THAT(wrong_fields(bad), ElementsAre("[1]", "[2].durability"));
  EXPECT_EQ(post("/threads/count", "{}").body, "0");
  EXPECT_EQ(post("/runs/batch", "[]").status, 422);
  const auto good = post("/runs/batch", R"([{"assistant_id":"agent"},{"assistant_id":"planner"}])");
  EXPECT_EQ(View(good.body).elements().size(), 2u);
}

TEST_F(RoutesTest, AThreadIsMadeReadChangedAndDeleted) {
  const auto id = make_thread(R"({"metadata":{"user": "é"}})");
  const auto path = "/threads/" + id;
  EXPECT_EQ(View(get(path).body)["metadata"].raw(), R"({"user": "é"})");
  EXPECT_EQ(text_at(get(path), "status"), "idle");
  EXPECT_EQ(post("/threads", R"({"thread_id":")" + id + "\"}").status, 409);
  EXPECT_EQ(
      text_at(post("/threads", R"({"thread_id":")" + id + R"(","if_exists":"do_nothing"})"), "thread_id"),
      id);
  EXPECT_EQ(call(Method::patch, path, R"({"metadata":{"n":1}})", {{"Prefer", "return=minimal"}}).status, 204);
  EXPECT_EQ(View(get(path).body)["metadata"]["n"].integer(), 1);
  EXPECT_EQ(call(Method::del, path).status, 204);
  EXPECT_EQ(get(path).status, 404);
}

TEST_F(RoutesTest, PagesTellWhatFollows) {
  for (int i = 0; i < 3; ++i) make_thread();
  const auto first = post("/threads/search", R"({"limit":2})");
  EXPECT_EQ(View(first.body).elements().size(), 2u);
  EXPECT_EQ(header(first, "X-Pagination-Total"), "3");
  EXPECT_EQ(header(first, "X-Pagination-Next"), "2");
  const auto second = post("/threads/search", R"({"limit":2,"offset":2})");
  EXPECT_EQ(View(second.body).elements().size(), 1u);
  EXPECT_EQ(header(second, "X-Pagination-Next"), std::nullopt);
}

TEST_F(RoutesTest, RunsAreMadeListedCancelledAndDeleted) {
  const auto thread = make_thread();
  const auto runs = "/threads/" + thread + "/runs";
  const auto made = post(runs, R"({"assistant_id":"agent","input":{"a": 1}})");
  EXPECT_EQ(made.status, 200);
  const auto run = text_at(made, "run_id");
  EXPECT_EQ(text_at(made, "status"), "pending");
  EXPECT_EQ(header(made, "Content-Location"), runs + "/" + run);
  EXPECT_EQ(View(get(runs).body).elements().size(), 1u);
  EXPECT_THAT(View(get(runs + "?status=running").body).elements(), IsEmpty());
  EXPECT_EQ(get(runs + "?status=odd").status, 422);
  EXPECT_EQ(get(runs + "?limit=0").status, 422);
  EXPECT_EQ(get(runs + "?select=run_id").body, R"([{"run_id":")" + run + R"("}])");
  const auto active = call(Method::del, runs + "/" + run);
  EXPECT_EQ(active.status, 409);
  EXPECT_THAT(text_at(active, "detail"), HasSubstr("pending"));
  EXPECT_EQ(post(runs + "/" + run + "/cancel?action=explode", "").status, 422);
  EXPECT_EQ(post(runs + "/" + run + "/cancel?wait=1", "").status, 204);
  EXPECT_EQ(text_at(get(runs + "/" + run), "status"), "interrupted");
  EXPECT_EQ(call(Method::del, runs + "/" + run).status, 204);
  EXPECT_EQ(get(runs + "/" + run).status, 404);
}

TEST_F(RoutesTest, ARunOnABusyThreadIsRefusedWhereItAsks) {
  const auto runs = "/threads/" + make_thread() + "/runs";
  EXPECT_EQ(post(runs, R"({"assistant_id":"agent"})").status, 200);
  const auto refused = post(runs, R"({"assistant_id":"agent","multitask_strategy":"reject"})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(text_at(refused, "code"), "busy");
}

TEST_F(RoutesTest, WhatDoesNotExistIsNotFound) {
  EXPECT_EQ(post("/threads/" + std::string(unknown_id) + "/runs", R"({"assistant_id":"agent"})").status, 404);
  const auto created = post("/threads/" + std::string(unknown_id) + "/runs",
                            R"({"assistant_id":"agent","if_not_exists":"create"})");
  EXPECT_EQ(text_at(created, "thread_id"), unknown_id);
  const auto assistant = post("/runs", R"({"assistant_id":"nobody"})");
  EXPECT_EQ(assistant.status, 404);
  EXPECT_THAT(text_at(assistant, "detail"), HasSubstr("agent, planner"));
  EXPECT_EQ(get("/assistants/nobody").status, 404);
  EXPECT_EQ(get("/api/v1/runs/" + std::string(unknown_id) + "/why").status, 404);
}

TEST_F(RoutesTest, ManyRunsAreCancelledByWhatTheyAre) {
  const auto thread = make_thread();
  post("/threads/" + thread + "/runs", R"({"assistant_id":"agent"})");
  const auto both = post("/runs/cancel", R"({"status":"all","thread_id":")" + thread + "\"}");
  EXPECT_THAT(wrong_fields(both), ElementsAre("status"));
  EXPECT_THAT(wrong_fields(post("/runs/cancel", R"({"status":"x"})")), ElementsAre("status"));
  EXPECT_THAT(wrong_fields(post("/runs/cancel", R"({"run_ids":["x"]})")),
              ElementsAre("run_ids", "thread_id"));
  const auto of = [&](const std::string& of_thread, const std::string& ids) {
    return post("/runs/cancel", R"({"thread_id":")" + of_thread + R"(","run_ids":)" + ids + "}").status;
  };
  EXPECT_EQ(of(unknown_id, "[]"), 404);
  EXPECT_EQ(of(thread, "[\"" + std::string(unknown_id) + "\"]"), 404);
  EXPECT_EQ(of(thread, "[]"), 204);
  EXPECT_EQ(text_at(get("/threads/" + thread), "status"), "busy") << "nothing was cancelled yet";
  EXPECT_EQ(post("/runs/cancel", R"({"status":"pending"})").status, 204);
  EXPECT_EQ(text_at(get("/threads/" + thread), "status"), "idle");
}

TEST_F(RoutesTest, AssistantsHaveVersions) {
  const auto made = post("/assistants", R"({"graph_id":"agent","name":"A","metadata":{"team":"x"}})");
  const auto path = "/assistants/" + text_at(made, "assistant_id");
  EXPECT_EQ(View(made.body)["version"].integer(), 1);
  EXPECT_EQ(View(call(Method::patch, path, R"({"name":"B"})").body)["version"].integer(), 2);
  EXPECT_EQ(View(post(path + "/versions", "{}").body).elements().size(), 2u);
  EXPECT_EQ(text_at(post(path + "/latest", R"({"version":1})"), "name"), "A");
  EXPECT_THAT(wrong_fields(post(path + "/latest", "{}")), ElementsAre("version"));
  EXPECT_EQ(post(path + "/latest", R"({"version":9})").status, 404);
  EXPECT_EQ(View(post("/assistants/search", R"({"metadata":{"team":"x"},"select":["name"]})").body)
                .elements()[0]
                .raw(),
            R"({"name":"A"})");
  EXPECT_EQ(text_at(get("/assistants/agent"), "graph_id"), "agent") << "a graph's name is its own assistant";
  EXPECT_EQ(call(Method::del, path).status, 200);
  EXPECT_EQ(get(path).status, 404);
}

TEST_F(RoutesTest, ItemsAreWrittenSearchedAndDeleted) {
  EXPECT_EQ(
      call(Method::put, "/store/items", R"({"namespace":["users"],"key":"ann","value":{"age": 3}})").status,
      204);
  EXPECT_EQ(View(get("/store/items?namespace=users&key=ann").body)["value"].raw(), R"({"age": 3})");
  const auto found =
      post("/store/items/search", R"({"namespace_prefix":["users"],"filter":{"age":{"$gte":3}}})");
  EXPECT_EQ(View(found.body)["items"].elements().size(), 1u);
  EXPECT_TRUE(View(found.body)["items"].elements()[0].find("score")->is_null());
  EXPECT_EQ(View(post("/store/namespaces", "{}").body)["namespaces"].raw(), R"([["users"]])");
  EXPECT_EQ(call(Method::put, "/store/items", R"({"namespace":["a.b"],"key":"k","value":{}})").status, 422);
  EXPECT_EQ(call(Method::del, "/store/items", R"({"namespace":["users"],"key":"ann"})").status, 204);
  EXPECT_EQ(get("/store/items?namespace=users&key=ann").body, "null");
}

TEST_F(RoutesTest, OurOwnPathsTellWhyARunWaits) {
  const auto run = text_at(post("/runs", R"({"assistant_id":"agent"})"), "run_id");
  const auto why = get("/api/v1/runs/" + run + "/why");
  EXPECT_EQ(View(why.body)["reason"]["code"].string(), "no_worker");
  EXPECT_EQ(View(why.body)["reason"]["graph_id"].string(), "agent");
  EXPECT_EQ(text_at(get("/api/v1/runs/" + run), "state"), "queued");
  EXPECT_EQ(View(get("/api/v1/runs?status=queued").body).elements().size(), 1u);
  TestWorker worker(server_, {.name = "w-1"});
  EXPECT_EQ(View(get("/api/v1/workers").body)["workers"].elements()[0]["name"].string(), "w-1");
  EXPECT_EQ(View(get("/api/v1/runs/" + run + "/why").body)["reason"]["code"].string(), "running");
}

TEST_F(RoutesTest, TheServerTellsHowItIs) {
  EXPECT_EQ(get("/ok").status, 200);
  EXPECT_EQ(get("/info").status, 200);
  get("/threads/" + std::string(unknown_id));
  EXPECT_THAT(get("/metrics").body, HasSubstr("duragraph_http_requests_total"));
  EXPECT_THAT(get("/metrics").body, HasSubstr("status=\"404\""));
}

}  // namespace
}  // namespace dg::api::testing
