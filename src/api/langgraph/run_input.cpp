#include "api/langgraph/run_input.hpp"

#include <algorithm>

#include "api/langgraph/common_input.hpp"

namespace dg::api::langgraph {
namespace {

using json::View;
using json::Writer;

std::vector<std::string> read_modes(Body& body) {
  auto modes = body.texts("stream_mode");
  if (modes.empty()) return {"values"};
  std::vector<std::string> unique;
  for (auto& mode : modes) {
    if (std::ranges::find(stream_modes, mode) == stream_modes.end())
      body.wrong("stream_mode", "\"" + mode + "\" is no stream mode here");
    if (std::ranges::find(unique, mode) == unique.end()) unique.push_back(std::move(mode));
  }
  return unique;
}

// null, "*" or a list of nodes; one node's name counts as a list of it.
std::string read_nodes(Body& body, std::string_view name) {
  const auto value = body.view()[name];
  if (value.is_null()) return "null";
  if (value.is_string() && value.string() == "*") return "\"*\"";
  Writer out;
  out.begin_array();
  for (const auto& node : body.texts(name)) {
    if (node.empty()) body.wrong(name, "must be \"*\" or a list of nodes' names, none of them empty");
    out.string(node);
  }
  out.end_array();
  return out.text() == "[]" ? "null" : out.take();
}

// The address to fork from; null when the request names none. What `configurable` says of it counts where
// the request does not, so that it is checked like any other.
std::string read_fork(Body& body, std::string_view thread_id) {
  auto place = read_checkpoint(body, thread_id);
  const auto given = body.view()["config"]["configurable"];
  Body configurable(given.is_object() ? given : View("{}"), "config.configurable");
  auto id = read_checkpoint_id(configurable);
  auto ns = configurable.optional_text("checkpoint_ns");
  body.take_errors(configurable);
  if (!place.id) place.id = std::move(id);
  if (!place.ns) place.ns = std::move(ns);
  const bool names_id = place.id && !place.id->empty();
  Writer out;
  out.begin_object();
  if (names_id) out.key("checkpoint_id").string(*place.id);
  if (place.ns && (names_id || !place.ns->empty())) out.key("checkpoint_ns").string(*place.ns);
  if (place.map != "null") out.key("checkpoint_map").raw(place.map);
  out.end_object();
  return out.text() == "{}" ? "null" : out.take();
}

// The config, with the tracer's names where the request has a tracer.
std::string read_traced_config(Body& body) {
  auto config = read_config(body);
  const auto given = body.object("langsmith_tracer");
  if (body.view()["langsmith_tracer"].is_null()) return config;
  Body tracer(View(given), "langsmith_tracer");
  const auto project = tracer.optional_text("project_name");
  const auto example = tracer.optional_text("example_id");
  body.take_errors(tracer);
  Writer names;
  names.begin_object();
  if (project) names.key("langsmith_project").string(*project);
  if (example) names.key("langsmith_example_id").string(*example);
  names.end_object();
  const auto configurable = json::merge(View(config)["configurable"], View(names.text()));
  const auto patch = Writer().begin_object().key("configurable").raw(configurable).end_object().take();
  return json::merge(View(config), View(patch));
}

// A node's name, or {node, input} that sends it an input.
bool is_target(View value) {
  return value.is_string() || (value.is_object() && value["node"].is_string());
}

bool is_pair(View value) {
  const auto elements = value.elements();
  return elements.size() == 2 && elements[0].is_string();
}

// A command that says nothing counts as none: clients send empty ones.
std::string read_command(Body& body) {
  const auto command = body.view()["command"];
  if (command.is_null()) return "null";
  if (!command.is_object()) {
    body.wrong("command", "must be an object");
    return "null";
  }
  const auto go = command["goto"];
  const auto update = command["update"];
  const auto targets = go.elements();
  if (!go.is_null() && !is_target(go) && !(go.is_array() && std::ranges::all_of(targets, is_target)))
    body.wrong("command.goto", "must be a node's name, {node, input}, or a list of these");
  const bool pairs = update.is_array() && std::ranges::all_of(update.elements(), is_pair);
  if (!update.is_null() && !update.is_object() && !pairs)
    body.wrong("command.update", "must be an object or a list of [name, value] pairs");
  const bool goes = !go.is_null() && !(go.is_array() && targets.empty());
  const bool says = !command["resume"].is_null() || !update.is_null() || goes;
  return says ? std::string(command.raw()) : "null";
}

domain::Durability read_durability(Body& body) {
  const std::string otherwise = body.boolean("checkpoint_during", true) ? "async" : "exit";
  return *domain::durability_from(body.choice("durability", otherwise, {"sync", "async", "exit"}));
}

// Fields that mean something for only one kind of run, or nothing here. Clients may send them with any: they
// are checked all the same.
void read_kind(Body& body, app::RunOrder& order, bool stateless) {
  const auto multitask =
      body.choice("multitask_strategy", "enqueue", {"reject", "enqueue", "interrupt", "rollback"});
  const auto missing = body.choice("if_not_exists", "reject", {"reject", "create"});
  const auto completion = body.choice("on_completion", "delete", {"delete", "keep"});
  body.list("feedback_keys");
  if (!stateless) order.request.multitask = *domain::multitask_from(multitask);
  order.create_thread = stateless || missing == "create";
  order.request.temporary = stateless && completion == "delete";
}

app::RunOrder read_common(Body& body, std::string_view thread_id) {
  app::RunOrder order;
  order.assistant = canonical_id(body.required_text("assistant_id"));
  auto& request = order.request;
  request.input = body.any("input");
  request.command = read_command(body);
  request.config = read_traced_config(body);
  request.context = body.any("context");
  order.metadata = body.object("metadata");
  order.checkpoint = read_fork(body, thread_id);
  request.interrupt_before = read_nodes(body, "interrupt_before");
  request.interrupt_after = read_nodes(body, "interrupt_after");
  request.stream_modes = read_modes(body);
  request.stream_subgraphs = body.boolean("stream_subgraphs", false);
  request.stream_resumable = body.boolean("stream_resumable", false);
  request.cancel_on_disconnect = body.choice("on_disconnect", "continue", {"continue", "cancel"}) == "cancel";
  request.durability = read_durability(body);
  constexpr double max_delay_seconds = 10.0 * 366 * 86400;
  const double delay = body.number("after_seconds", 0, 0);
  if (delay > max_delay_seconds) body.wrong("after_seconds", "must be at most ten years");
  order.after =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(delay, max_delay_seconds)));
  body.unsupported("webhook", "; poll the run, or stream it");
  return order;
}

}  // namespace

app::RunOrder read_run_order(Body& body, std::string_view thread_id) {
  auto order = read_common(body, thread_id);
  read_kind(body, order, false);
  return order;
}

app::RunOrder read_stateless_order(Body& body) {
  auto order = read_common(body, "");
  read_kind(body, order, true);
  return order;
}

}  // namespace dg::api::langgraph
