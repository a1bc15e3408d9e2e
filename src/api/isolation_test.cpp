// What belongs to one user is to another as if it were not there.
#include <gmock/gmock.h>

#include "api/auth_testing.hpp"

namespace dg::api::testing {
namespace {

using app::testing::TestWorker;
using auth::Role;
using json::View;
using net::Method;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr const char* nowhere = "018f0000-0000-7000-8000-000000000000";

class IsolationTest : public AuthApiTest {
 protected:
  IsolationTest() {
    thread_ = text_at(post("/threads", R"({"metadata":{"owner":"bob"}})", ann_), "thread_id");
    run_ = text_at(post("/threads/" + thread_ + "/runs", R"({"assistant_id":"agent"})", ann_), "run_id");
    assistant_ = text_at(post("/assistants", R"({"graph_id":"agent","name":"mine"})", ann_), "assistant_id");
  }

  // The answer without what names the thing that was asked for.
  static std::string nameless(const net::Response& response, const std::string& id) {
    auto text = std::to_string(response.status) + " " + response.body;
    for (auto at = text.find(id); at != std::string::npos; at = text.find(id))
      text.replace(at, id.size(), "ID");
    return text;
  }
  // Asks for something of Ann's as Bob, and for what does not exist.
  void expect_hidden(Method method, const std::string& before, const std::string& id,
                     const std::string& after, const std::string& body = "{}") {
    const auto hers = call(method, before + id + after, body, bob_);
    const auto none = call(method, before + nowhere + after, body, bob_);
    EXPECT_EQ(nameless(hers, id), nameless(none, nowhere)) << before << "ID" << after;
    EXPECT_GE(hers.status, 400) << before << "ID" << after;
  }
  // The members of that name in a list.
  static std::vector<std::string> names(const net::Response& response, std::string_view name) {
    std::vector<std::string> out;
    for (const auto element : View(response.body).elements()) out.push_back(element[name].string());
    return out;
  }

  // Looks at the schemas, or writes the state, as Bob; the worker is to answer.
  Task<void> ask(std::string path) {
    net::Request request;
    const bool writes = path.ends_with("/state");
    request.method = writes ? Method::post : Method::get;
    request.target = std::move(path);
    request.body = writes ? R"({"values":{"a":1}})" : "";
    request.headers = bob_;
    request.headers.emplace_back("Host", "localhost:2024");
    if (!net::split_target(request)) throw std::runtime_error("the target is no target");
    const auto match = api_.router().match(request);
    co_await api_.middleware()(request, match);
  }

  const net::Headers ann_ = as("ann");
  const net::Headers bob_ = as("bob");
  const net::Headers root_ = as("root", Role::admin);
  std::string thread_, run_, assistant_;
};

TEST_F(IsolationTest, AThreadIsItsOwners) {
  const std::string one = "/threads/";
  expect_hidden(Method::get, one, thread_, "");
  expect_hidden(Method::patch, one, thread_, "", R"({"metadata":{"a":1}})");
  expect_hidden(Method::patch, one, thread_, "/state", R"({"metadata":{"a":1}})");
  expect_hidden(Method::del, one, thread_, "");
  expect_hidden(Method::post, one, thread_, "/copy");
  expect_hidden(Method::get, one, thread_, "/state");
  expect_hidden(Method::get, one, thread_, "/state?subgraphs=true");
  expect_hidden(Method::post, one, thread_, "/state", R"({"values":{"a":1}})");
  expect_hidden(Method::post, one, thread_, "/state/checkpoint");
  expect_hidden(Method::get, one, thread_, "/state/" + std::string(nowhere));
  expect_hidden(Method::get, one, thread_, "/history");
  expect_hidden(Method::post, one, thread_, "/history");
  expect_hidden(Method::get, one, thread_, "/runs");
  EXPECT_EQ(get(one + thread_, ann_).status, 200);
  EXPECT_EQ(get(one + thread_, root_).status, 200);
  EXPECT_EQ(get(one + thread_, as("ann", Role::viewer)).status, 200);
}

TEST_F(IsolationTest, ARunIsItsThreads) {
  const auto runs = "/threads/" + thread_ + "/runs/";
  expect_hidden(Method::get, runs, run_, "");
  expect_hidden(Method::del, runs, run_, "");
  expect_hidden(Method::get, runs, run_, "/join");
  expect_hidden(Method::get, runs, run_, "/stream");
  expect_hidden(Method::post, runs, run_, "/cancel", "");
  expect_hidden(Method::get, "/runs/", run_, "/stream");
  expect_hidden(Method::get, "/api/v1/runs/", run_, "");
  expect_hidden(Method::get, "/api/v1/runs/", run_, "/why");
  EXPECT_EQ(get(runs + run_, ann_).status, 200);
  EXPECT_EQ(get("/api/v1/runs/" + run_ + "/why", ann_).status, 200);
}

TEST_F(IsolationTest, NoRunIsMadeOnAnothersThreadOrAssistant) {
  for (const auto* const way : {"", "/stream", "/wait"}) {
    expect_hidden(Method::post, "/threads/", thread_, std::string("/runs") + way,
                  R"({"assistant_id":"agent"})");
    const auto on = [](const std::string& assistant) { return R"({"assistant_id":")" + assistant + "\"}"; };
    const auto hers = post(std::string("/runs") + way, on(assistant_), bob_);
    EXPECT_EQ(nameless(hers, assistant_),
              nameless(post(std::string("/runs") + way, on(nowhere), bob_), nowhere));
    EXPECT_EQ(hers.status, 404);
  }
  EXPECT_EQ(
      post("/threads/" + thread_ + "/runs", R"({"assistant_id":"agent","if_not_exists":"create"})", bob_)
          .status,
      404);
  EXPECT_EQ(post("/runs/batch", R"([{"assistant_id":"agent"},{"assistant_id":")" + assistant_ + "\"}]", bob_)
                .status,
            404);
  EXPECT_EQ(View(get("/api/v1/runs", bob_).body).elements().size(), 0U) << "of a batch all are made, or none";
}

TEST_F(IsolationTest, AThreadsIdIsTaken) {
  const auto again = [&](const net::Headers& who, const std::string& more) {
    return post("/threads", R"({"thread_id":")" + thread_ + "\"" + more + "}", who);
  };
  EXPECT_EQ(again(bob_, "").status, 409);
  const auto kept = again(bob_, R"(,"if_exists":"do_nothing")");
  EXPECT_EQ(kept.status, 409);
  EXPECT_THAT(kept.body, ::testing::Not(HasSubstr("metadata")));
  EXPECT_EQ(text_at(again(ann_, R"(,"if_exists":"do_nothing")"), "thread_id"), thread_);
}

TEST_F(IsolationTest, ListsAndCountsAreOfWhatIsTheirs) {
  const auto own = text_at(post("/threads", "{}", bob_), "thread_id");
  EXPECT_THAT(names(post("/threads/search", "{}", bob_), "thread_id"), ElementsAre(own));
  EXPECT_THAT(names(post("/threads/search", R"({"ids":[")" + thread_ + "\"]}", bob_), "thread_id"),
              ElementsAre());
  EXPECT_THAT(names(post("/threads/search", R"({"metadata":{"owner":"bob"}})", bob_), "thread_id"),
              ElementsAre())
      << "metadata gives nothing away";
  EXPECT_EQ(header(post("/threads/search", "{}", bob_), "X-Pagination-Total"), "1");
  EXPECT_EQ(post("/threads/count", "{}", bob_).body, "1");
  EXPECT_EQ(post("/threads/count", "{}", root_).body, "2");
  EXPECT_THAT(names(get("/api/v1/runs", bob_), "run_id"), ElementsAre());
  EXPECT_THAT(names(get("/api/v1/runs", ann_), "run_id"), ElementsAre(run_));
  EXPECT_THAT(names(get("/api/v1/runs", root_), "run_id"), ElementsAre(run_));
}

TEST_F(IsolationTest, RunsAreCancelledWhereTheyAreTheirs) {
  EXPECT_EQ(post("/runs/cancel", R"({"status":"all"})", bob_).status, 204);
  EXPECT_EQ(text_at(get("/threads/" + thread_, ann_), "status"), "busy");
  EXPECT_EQ(post("/runs/cancel", R"({"thread_id":")" + thread_ + "\"}", bob_).status, 404);
  EXPECT_EQ(text_at(get("/threads/" + thread_, ann_), "status"), "busy");
  EXPECT_EQ(post("/runs/cancel", R"({"status":"all"})", ann_).status, 204);
  EXPECT_EQ(text_at(get("/threads/" + thread_, ann_), "status"), "idle");
}

TEST_F(IsolationTest, AnAssistantIsItsOwners) {
  const std::string one = "/assistants/";
  expect_hidden(Method::get, one, assistant_, "");
  expect_hidden(Method::patch, one, assistant_, "", R"({"name":"x"})");
  expect_hidden(Method::del, one, assistant_, "");
  expect_hidden(Method::post, one, assistant_, "/versions");
  expect_hidden(Method::post, one, assistant_, "/latest", R"({"version":1})");
  for (const auto* const what : {"/graph", "/schemas", "/subgraphs", "/subgraphs/x"})
    expect_hidden(Method::get, one, assistant_, what);
  EXPECT_EQ(call(Method::patch, one + assistant_, R"({"name":"x"})", ann_).status, 200);
  EXPECT_EQ(
      post("/assistants",
           R"({"graph_id":"agent","if_exists":"do_nothing","assistant_id":")" + assistant_ + "\"}", bob_)
          .status,
      409);
  EXPECT_THAT(names(post("/assistants/search", "{}", bob_), "name"),
              UnorderedElementsAre("agent", "planner"));
  EXPECT_THAT(names(post("/assistants/search", "{}", ann_), "name"),
              UnorderedElementsAre("agent", "planner", "x"));
  EXPECT_EQ(post("/assistants/count", "{}", bob_).body, "2");
}

TEST_F(IsolationTest, AssistantsOfGraphsAreForAllToUseAndForAdminsToChange) {
  const std::string one = "/assistants/agent";
  EXPECT_EQ(get(one, bob_).status, 200);
  EXPECT_EQ(call(Method::patch, one, R"({"name":"x"})", bob_).status, 403);
  EXPECT_EQ(post(one + "/latest", R"({"version":1})", bob_).status, 403);
  EXPECT_EQ(call(Method::del, one, "", bob_).status, 403);
  EXPECT_EQ(call(Method::patch, one, R"({"name":"x"})", root_).status, 200);
}

TEST_F(IsolationTest, DeletingAnAssistantTakesTheOwnersThreadsAlone) {
  const auto shared = text_at(post("/assistants", R"({"graph_id":"agent"})", root_), "assistant_id");
  const auto claims = R"({"metadata":{"assistant_id":")" + shared + "\"}}";
  const auto bobs = text_at(post("/threads", claims, bob_), "thread_id");
  const auto hers = text_at(post("/assistants", R"({"graph_id":"agent"})", ann_), "assistant_id");
  const auto of_hers =
      text_at(post("/threads", R"({"metadata":{"assistant_id":")" + hers + "\"}}", bob_), "thread_id");
  EXPECT_EQ(call(Method::del, "/assistants/" + hers + "?delete_threads=true", "", ann_).status, 200);
  EXPECT_EQ(get("/threads/" + of_hers, bob_).status, 200);
  EXPECT_EQ(call(Method::del, "/assistants/" + shared + "?delete_threads=true", "", root_).status, 200);
  EXPECT_EQ(get("/threads/" + bobs, bob_).status, 404) << "an admin's deletion is of all";
}

TEST_F(IsolationTest, WhatIsMadeBelongsToItsMaker) {
  const auto stateless = text_at(post("/runs", R"({"assistant_id":"agent"})", bob_), "run_id");
  EXPECT_EQ(get("/api/v1/runs/" + stateless, bob_).status, 200);
  EXPECT_EQ(get("/api/v1/runs/" + stateless, ann_).status, 404);
  const auto copy = text_at(post("/threads/" + thread_ + "/copy", "", ann_), "thread_id");
  EXPECT_EQ(get("/threads/" + copy, ann_).status, 200);
  EXPECT_EQ(get("/threads/" + copy, bob_).status, 404);
  const auto fresh = "/threads/" + std::string(nowhere);
  EXPECT_EQ(post(fresh + "/runs", R"({"assistant_id":"agent","if_not_exists":"create"})", bob_).status, 200);
  EXPECT_EQ(get(fresh, bob_).status, 200);
  EXPECT_EQ(get(fresh, ann_).status, 404);
  // An admin who acts on a thread does not take it.
  const auto helped =
      text_at(post("/threads/" + thread_ + "/runs", R"({"assistant_id":"agent"})", root_), "run_id");
  EXPECT_EQ(get("/api/v1/runs/" + helped, ann_).status, 200);
}

TEST_F(IsolationTest, WhatIsNobodysIsForAdmins) {
  const auto thread = server_.make_thread();
  EXPECT_EQ(get("/threads/" + thread, ann_).status, 404);
  EXPECT_EQ(get("/threads/" + thread, root_).status, 200);
}

TEST_F(IsolationTest, MemoryIsBelowTheUsersName) {
  const auto put = [&](const std::string& ns, const net::Headers& who) {
    return call(Method::put, "/store/items", R"({"namespace":)" + ns + R"(,"key":"k","value":{"a":1}})", who)
        .status;
  };
  EXPECT_EQ(put(R"(["ann","memories"])", ann_), 204);
  EXPECT_EQ(put(R"(["bob"])", bob_), 204);
  EXPECT_EQ(put(R"(["ann","memories"])", bob_), 403);
  EXPECT_EQ(put(R"(["shared"])", bob_), 403);
  EXPECT_EQ(put(R"(["shared"])", root_), 204);
  EXPECT_EQ(get("/store/items?namespace=ann.memories&key=k", ann_).status, 200);
  EXPECT_EQ(get("/store/items?namespace=ann.memories&key=k", bob_).status, 403);
  EXPECT_EQ(get("/store/items?namespace=ann.nothing&key=k", bob_).status, 403);
  EXPECT_EQ(call(Method::del, "/store/items", R"({"namespace":["ann","memories"],"key":"k"})", bob_).status,
            403);
  const auto found = [&](const std::string& prefix, const net::Headers& who) {
    return View(post("/store/items/search", R"({"namespace_prefix":)" + prefix + "}", who).body)["items"]
        .elements()
        .size();
  };
  EXPECT_EQ(found("[]", ann_), 1U);
  EXPECT_EQ(found("[]", root_), 3U);
  EXPECT_EQ(found(R"(["ann"])", bob_), 0U);
  EXPECT_EQ(found(R"(["ann","memories"])", ann_), 1U);
  EXPECT_EQ(found(R"(["*"])", bob_), 0U);
  const auto spaces = [&](const std::string& body, const net::Headers& who) {
    return std::string(View(post("/store/namespaces", body, who).body)["namespaces"].raw());
  };
  EXPECT_EQ(spaces("{}", ann_), R"([["ann","memories"]])");
  EXPECT_EQ(spaces(R"({"prefix":["*"]})", bob_), R"([["bob"]])");
  EXPECT_EQ(spaces(R"({"prefix":["ann"]})", bob_), "[]");
  EXPECT_EQ(spaces(R"({"prefix":["*","memories"]})", bob_), "[]");
}

TEST_F(IsolationTest, GraphsAreToldTheUser) {
  TestWorker worker(server_);
  server_.settle();
  const auto leased = worker.leased();
  const auto told = View(leased.request.config)["configurable"];
  EXPECT_EQ(told["user_id"].string(), "ann");
  EXPECT_EQ(told["langgraph_auth_user_id"].string(), "ann");
  EXPECT_EQ(told["langgraph_auth_user"]["identity"].string(), "ann");
  EXPECT_EQ(told["langgraph_auth_permissions"].raw(), R"(["editor"])");
}

TEST_F(IsolationTest, NobodySaysWhoTheyAreByConfiguration) {
  const auto run = post("/runs", R"({"assistant_id":"planner","config":{"configurable":{"user_id":"ann",
      "langgraph_auth_user":{"identity":"ann"},"langgraph_auth_user_id":"ann"}}})",
                        bob_);
  const auto told = View(run.body)["kwargs"]["config"]["configurable"];
  EXPECT_EQ(told["user_id"].string(), "bob");
  EXPECT_EQ(told["langgraph_auth_user"]["identity"].string(), "bob");
  EXPECT_EQ(told["langgraph_auth_user_id"].string(), "bob");
}

// Nor does an assistant whose graph is only looked at, or whose thread is written to.
TEST_F(IsolationTest, AnAssistantSaysNothingOfTheUser) {
  TestWorker worker(server_, {.slots = 10});
  const auto forged =
      post("/assistants", R"({"graph_id":"planner","config":{"configurable":{"k":1,"user_id":"ann",
      "langgraph_auth_user":{"identity":"ann"},"langgraph_auth_permissions":["admin"]}}})",
           bob_);
  const auto assistant = text_at(forged, "assistant_id");
  const auto run = post("/runs", R"({"assistant_id":")" + assistant + R"(","on_completion":"keep"})", bob_);
  worker.complete(worker.leased(), 1);
  for (const auto& path :
       {"/assistants/" + assistant + "/schemas", "/threads/" + text_at(run, "thread_id") + "/state"})
    spawn(server_.world.timers.executor(), "ask", ask(path));
  server_.settle();
  const auto asked = worker.got<app::WorkerRequest>();
  ASSERT_EQ(asked.size(), 2U);
  for (const auto& request : asked) {
    const auto told = View(request.params)["config"]["configurable"];
    EXPECT_EQ(told["k"].integer(), 1) << request.method;
    EXPECT_EQ(told["user_id"].string(), "bob") << request.method;
    EXPECT_EQ(told["langgraph_auth_user"]["identity"].string(), "bob") << request.method;
    EXPECT_EQ(told["langgraph_auth_permissions"].raw(), R"(["editor"])") << request.method;
    server_.app().workers.replied(request.id, std::string("{}"));
  }
  server_.settle();
}

TEST_F(IsolationTest, EventsTellWhoCausedThem) {
  const auto actors = [&](const std::string& id) {
    std::vector<std::string> out;
    for (const auto& event : server_.get(server_.store().events(id)))
      out.push_back(event.type + " " + View(event.metadata)["actor"].string());
    return out;
  };
  call(Method::patch, "/threads/" + thread_, R"({"metadata":{"a":1}})", root_);
  post("/threads/" + thread_ + "/runs/" + run_ + "/cancel", "", root_);
  EXPECT_THAT(actors(thread_), ElementsAre("ThreadCreated ann", "ThreadBound ann", "ThreadPatched root"));
  EXPECT_THAT(actors(run_), ElementsAre("RunCreated ann", "RunCancelRequested root", "RunCancelled root"));
  EXPECT_THAT(actors(assistant_), ElementsAre("AssistantCreated ann"));
}

}  // namespace
}  // namespace dg::api::testing
