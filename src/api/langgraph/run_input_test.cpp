#include "api/langgraph/run_input.hpp"

#include <gmock/gmock.h>

namespace dg::api::langgraph {
namespace {

using json::View;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RunInput : public ::testing::Test {
 protected:
  app::RunOrder read(std::string body, bool stateless = false) {
    request_.body = std::move(body);
    auto parsed = Body::read(request_);
    if (!parsed) throw std::runtime_error(parsed.error().message);
    auto order = stateless ? read_stateless_order(*parsed) : read_run_order(*parsed, "t");
    wrong_.clear();
    if (const auto status = parsed->status(); !status)
      for (const auto& field : status.error().fields) wrong_.push_back(field.place);
    return order;
  }
  // A request for "agent" with further members.
  app::RunOrder read_with(const std::string& members, bool stateless = false) {
    return read(R"({"assistant_id":"agent",)" + members + "}", stateless);
  }
  std::vector<std::string> wrong(const std::string& members) {
    read_with(members);
    return wrong_;
  }

  net::Request request_;
  std::vector<std::string> wrong_;
};

TEST_F(RunInput, HasLangGraphsDefaults) {
  const auto order = read(R"({"assistant_id":"agent"})");
  EXPECT_THAT(wrong_, IsEmpty());
  EXPECT_EQ(order.assistant, "agent");
  EXPECT_FALSE(order.create_thread);
  EXPECT_EQ(order.metadata, "{}");
  EXPECT_EQ(order.checkpoint, "null");
  EXPECT_EQ(order.after, Duration{});
  const auto& request = order.request;
  EXPECT_EQ(request.input, "null");
  EXPECT_EQ(request.command, "null");
  EXPECT_EQ(request.config, "{}");
  EXPECT_EQ(request.context, "null");
  EXPECT_THAT(request.stream_modes, ElementsAre("values"));
  EXPECT_EQ(request.multitask, domain::MultitaskStrategy::enqueue);
  EXPECT_EQ(request.durability, domain::Durability::async);
  EXPECT_FALSE(request.stream_subgraphs || request.stream_resumable || request.cancel_on_disconnect ||
               request.temporary);
}

TEST_F(RunInput, InputIsCarriedAsItWasSent) {
  EXPECT_EQ(read_with(R"("input":{"n": 12345678901234567890, "s":"é" })").request.input,
            R"({"n": 12345678901234567890, "s":"é" })");
  EXPECT_EQ(read_with(R"("input":[1,2])").request.input, "[1,2]");
  EXPECT_EQ(read_with(R"("input":"text","context":["c"])").request.context, R"(["c"])");
}

TEST_F(RunInput, EachBadFieldIsNamed) {
  EXPECT_THAT(wrong(R"("command":"go")"), ElementsAre("command"));
  for (const auto* go : {"5", "true", R"({"node":5})", R"({"input":1})", R"([{"x":1}])", R"(["a",null])"})
    EXPECT_THAT(wrong(std::string(R"("command":{"goto":)") + go + "}"), ElementsAre("command.goto")) << go;
  for (const auto* update :
       {"5", R"("x")", R"([["steps"]])", R"([["a",1],["b"]])", R"([[1,2]])", R"(["ab"])"})
    EXPECT_THAT(wrong(std::string(R"("command":{"update":)") + update + "}"), ElementsAre("command.update"))
        << update;
  EXPECT_THAT(wrong(R"("command":{"goto":{},"update":1})"), ElementsAre("command.goto", "command.update"));
  EXPECT_THAT(wrong(R"("config":[])"), ElementsAre("config"));
  EXPECT_THAT(wrong(R"("metadata":"x")"), ElementsAre("metadata"));
  EXPECT_THAT(wrong(R"("stream_mode":"vibes")"), ElementsAre("stream_mode"));
  EXPECT_THAT(wrong(R"("stream_mode":["values",3])"), ElementsAre("stream_mode"));
  EXPECT_THAT(wrong(R"("stream_subgraphs":"maybe")"), ElementsAre("stream_subgraphs"));
  EXPECT_THAT(wrong(R"("stream_resumable":1)"), ElementsAre("stream_resumable"));
  EXPECT_THAT(wrong(R"("on_disconnect":"explode")"), ElementsAre("on_disconnect"));
  EXPECT_THAT(wrong(R"("multitask_strategy":"queue")"), ElementsAre("multitask_strategy"));
  EXPECT_THAT(wrong(R"("if_not_exists":"maybe")"), ElementsAre("if_not_exists"));
  EXPECT_THAT(wrong(R"("durability":"never")"), ElementsAre("durability"));
  EXPECT_THAT(wrong(R"("after_seconds":-1)"), ElementsAre("after_seconds"));
  EXPECT_THAT(wrong(R"("after_seconds":"soon")"), ElementsAre("after_seconds"));
  EXPECT_THAT(wrong(R"("after_seconds":1e300)"), ElementsAre("after_seconds"));
  EXPECT_THAT(wrong(R"("interrupt_before":5)"), ElementsAre("interrupt_before"));
  EXPECT_THAT(wrong(R"("interrupt_after":[null])"), ElementsAre("interrupt_after"));
  EXPECT_THAT(wrong(R"("interrupt_before":"","interrupt_after":["a",""])"),
              ElementsAre("interrupt_before", "interrupt_after"));
  EXPECT_THAT(wrong(R"("on_completion":5,"feedback_keys":"k","checkpoint_during":1)"),
              ElementsAre("checkpoint_during", "on_completion", "feedback_keys"));
  EXPECT_THAT(wrong(R"("langsmith_tracer":5)"), ElementsAre("langsmith_tracer"));
  EXPECT_THAT(wrong(R"("langsmith_tracer":{"project_name":5,"example_id":[]})"),
              ElementsAre("langsmith_tracer.project_name", "langsmith_tracer.example_id"));
  EXPECT_THAT(wrong(R"("checkpoint":"c1")"), ElementsAre("checkpoint"));
  EXPECT_THAT(wrong(R"("checkpoint":{"checkpoint_id":1})"), ElementsAre("checkpoint.checkpoint_id"));
  EXPECT_THAT(wrong(R"("checkpoint_id":1)"), ElementsAre("checkpoint_id"));
  EXPECT_THAT(wrong(R"("checkpoint_id":"zz")"), ElementsAre("checkpoint_id"));
  EXPECT_THAT(wrong(R"("checkpoint":{"thread_id":"other","checkpoint_id":"zz"})"),
              ElementsAre("checkpoint.checkpoint_id", "checkpoint.thread_id"));
  for (const auto* id : {"1", R"("zz")"})
    EXPECT_THAT(wrong(std::string(R"("config":{"configurable":{"checkpoint_id":)") + id + "}}"),
                ElementsAre("config.configurable.checkpoint_id"));
  EXPECT_THAT(wrong(R"("config":{"callbacks":[],"__pregel_resuming":true,"recursionLimit":5})"),
              ElementsAre("config.callbacks", "config.__pregel_resuming", "config.recursionLimit"));
  EXPECT_THAT(wrong(R"("config":{"tags":"x","max_concurrency":0,"run_name":1,"run_id":"r"})"),
              ElementsAre("config.tags", "config.max_concurrency", "config.run_name", "config.run_id"));
  EXPECT_THAT(wrong(R"("config":{"callbacks":null,"run_name":"x","max_concurrency":4})"), IsEmpty());
  EXPECT_THAT(wrong(R"("webhook":"http://localhost")"), ElementsAre("webhook"));
  EXPECT_THAT(wrong(R"("config":{"configurable":1,"tags":{},"recursion_limit":0,"metadata":[]})"),
              ElementsAre("config.configurable", "config.metadata", "config.tags", "config.recursion_limit"));
  read("{}");
  EXPECT_THAT(wrong_, ElementsAre("assistant_id"));
  read(R"({"assistant_id":5,"durability":"never","after_seconds":[]})");
  EXPECT_THAT(wrong_, ElementsAre("assistant_id", "durability", "after_seconds"));
}

TEST_F(RunInput, UnknownFieldsAreIgnored) {
  EXPECT_THAT(wrong(R"("feedback_keys":["a"],"something_new":{"x":1})"), IsEmpty());
}

TEST_F(RunInput, StreamModesAreASetInOrder) {
  EXPECT_THAT(read_with(R"("stream_mode":"updates")").request.stream_modes, ElementsAre("updates"));
  EXPECT_THAT(read_with(R"("stream_mode":["messages-tuple","values","messages-tuple"])").request.stream_modes,
              ElementsAre("messages-tuple", "values"));
  EXPECT_THAT(read_with(R"("stream_mode":[])").request.stream_modes, ElementsAre("values"));
  EXPECT_THAT(
      wrong(
          R"("stream_mode":["values","messages","messages-tuple","updates","events","tasks","checkpoints","debug","custom"])"),
      IsEmpty());
}

TEST_F(RunInput, AnEmptyCommandIsNone) {
  EXPECT_EQ(read_with(R"("command":{})").request.command, "null");
  EXPECT_EQ(read_with(R"("command":{"resume":null,"goto":[],"update":null})").request.command, "null");
  EXPECT_EQ(read_with(R"("command":{"resume":false})").request.command, R"({"resume":false})");
  EXPECT_EQ(read_with(R"("command":{"goto":"node"})").request.command, R"({"goto":"node"})");
  EXPECT_EQ(read_with(R"("command":{"update":{}})").request.command, R"({"update":{}})");
}

TEST_F(RunInput, InterruptsAreAllOrNamed) {
  EXPECT_EQ(read_with(R"("interrupt_before":"*")").request.interrupt_before, "\"*\"");
  EXPECT_EQ(read_with(R"("interrupt_before":["a","b"])").request.interrupt_before, R"(["a","b"])");
  EXPECT_EQ(read_with(R"("interrupt_after":"a")").request.interrupt_after, R"(["a"])");
  EXPECT_EQ(read_with(R"("interrupt_after":[])").request.interrupt_after, "null");
}

TEST_F(RunInput, AForkIsAnAddressOrAnId) {
  const std::string one = R"("1f000000-0000-6000-8000-000000000001")";
  const std::string two = R"("1f000000-0000-6000-8000-000000000002")";
  const auto fork = [this](const std::string& fields) { return read_with(fields).checkpoint; };
  EXPECT_EQ(fork(R"("checkpoint_id":)" + one), R"({"checkpoint_id":)" + one + "}");
  EXPECT_EQ(fork(R"("checkpoint":{"thread_id":"t","checkpoint_id":)" + two +
                 R"(,"checkpoint_ns":"","checkpoint_map":{"":)" + two + R"(}},"checkpoint_id":)" + one),
            R"({"checkpoint_id":)" + two + R"(,"checkpoint_ns":"","checkpoint_map":{"":)" + two + "}}");
  EXPECT_EQ(fork(R"("config":{"configurable":{"checkpoint_id":)" + two + R"(,"checkpoint_ns":""}})"),
            R"({"checkpoint_id":)" + two + R"(,"checkpoint_ns":""})");
  EXPECT_EQ(fork(R"("checkpoint_id":)" + one + R"(,"config":{"configurable":{"checkpoint_id":)" + two + "}}"),
            R"({"checkpoint_id":)" + one + "}");
  EXPECT_EQ(fork(R"("checkpoint_id":"1F000000-0000-6000-8000-00000000000A")"),
            R"({"checkpoint_id":"1f000000-0000-6000-8000-00000000000a"})");
  EXPECT_EQ(fork(R"("checkpoint_id":"")"), "null");
  EXPECT_EQ(fork(R"("checkpoint":{})"), "null");
  EXPECT_EQ(fork(R"("checkpoint":{"checkpoint_ns":""})"), "null");
}

TEST_F(RunInput, ADelayIsInSecondsAndFractions) {
  EXPECT_EQ(read_with(R"("after_seconds":90)").after, std::chrono::seconds(90));
  EXPECT_EQ(read_with(R"("after_seconds":0.25)").after, std::chrono::milliseconds(250));
  EXPECT_THAT(wrong(R"("after_seconds":316224000)"), IsEmpty()) << "ten years";
  EXPECT_THAT(wrong(R"("after_seconds":316224001)"), ElementsAre("after_seconds"));
}

TEST_F(RunInput, DurabilityHasAnOldName) {
  EXPECT_EQ(read_with(R"("checkpoint_during":false)").request.durability, domain::Durability::exit);
  EXPECT_EQ(read_with(R"("checkpoint_during":true)").request.durability, domain::Durability::async);
  EXPECT_EQ(read_with(R"("checkpoint_during":false,"durability":"sync")").request.durability,
            domain::Durability::sync);
}

TEST_F(RunInput, TheRestIsTaken) {
  const auto order = read_with(
      R"("multitask_strategy":"rollback","if_not_exists":"create","on_disconnect":"cancel","stream_subgraphs":true,
         "stream_resumable":"true","metadata":{"m":1},"config":{"recursion_limit":3})");
  EXPECT_THAT(wrong_, IsEmpty());
  EXPECT_EQ(order.request.multitask, domain::MultitaskStrategy::rollback);
  EXPECT_TRUE(order.create_thread && order.request.cancel_on_disconnect && order.request.stream_subgraphs &&
              order.request.stream_resumable);
  EXPECT_EQ(order.metadata, R"({"m":1})");
  EXPECT_EQ(order.request.config, R"({"recursion_limit":3})");
}

TEST_F(RunInput, TheTracersNamesBecomeConfigurable) {
  const auto order = read_with(
      R"("config":{"configurable":{"a":1}},"langsmith_tracer":{"project_name":"p","example_id":"e"})");
  const View configurable = View(order.request.config)["configurable"];
  EXPECT_EQ(configurable["a"].integer(), 1);
  EXPECT_EQ(configurable["langsmith_project"].string(), "p");
  EXPECT_EQ(configurable["langsmith_example_id"].string(), "e");
}

TEST_F(RunInput, AStatelessRunsThreadGoesUnlessItIsKept) {
  const auto order = read(R"({"assistant_id":"agent"})", true);
  EXPECT_TRUE(order.create_thread);
  EXPECT_TRUE(order.request.temporary);
  EXPECT_FALSE(read_with(R"("on_completion":"keep")", true).request.temporary);
  read_with(R"("on_completion":"burn")", true);
  EXPECT_THAT(wrong_, ElementsAre("on_completion"));
}

}  // namespace
}  // namespace dg::api::langgraph
