#include "app/run_config.hpp"

#include <algorithm>
#include <array>

#include "base/json.hpp"

namespace dg::app {
namespace {

bool client_may_set(const std::string& key) {
  return !key.starts_with("__pregel_") && !key.starts_with("langgraph_auth_");
}

void add_tags(json::Writer& out, json::View config) {
  for (const auto tag : config["tags"].elements()) out.raw(tag.raw());
}

}  // namespace

std::string only_allowed(json::View configurable) {
  json::Writer out;
  out.begin_object();
  for (const auto& member : configurable.members())
    if (client_may_set(member.key)) out.key(member.key).raw(member.value.raw());
  out.end_object();
  return out.take();
}

std::string user_configurable(const Caller& caller) {
  json::Writer out;
  out.begin_object().key("user_id").string(caller.user.value_or(""));
  if (!caller.user) return out.end_object().take();
  const auto permissions = json::Writer().begin_array().string(caller.role).end_array().take();
  out.key("langgraph_auth_user_id").string(*caller.user).key("langgraph_auth_user").begin_object();
  out.key("identity").string(*caller.user).key("display_name").string(*caller.user);
  out.key("is_authenticated").boolean(true).key("permissions").raw(permissions).end_object();
  out.key("langgraph_auth_permissions").raw(permissions);
  return out.end_object().take();
}

std::string config_for(const Caller& caller, json::View config, json::View more) {
  const auto asked = only_allowed(config["configurable"]);
  const auto user = user_configurable(caller);
  const auto configurable = json::merge({json::View(asked), more, json::View(user)});
  const auto patch = json::Writer().begin_object().key("configurable").raw(configurable).end_object().take();
  return json::merge(config, json::View(patch));
}

std::string merge_config(const domain::Assistant& assistant, const domain::Thread& thread,
                         const std::string& config, const std::string& run_metadata,
                         const std::string& checkpoint, const RunIdentity& identity,
                         std::int64_t default_recursion_limit) {
  const json::View of_assistant(assistant.content.config);
  const json::View of_thread(thread.config);
  const json::View of_request(config);

  json::Writer ids;
  ids.begin_object().key("run_id").string(identity.run_id).key("thread_id").string(identity.thread_id);
  ids.key("graph_id")
      .string(identity.graph_id)
      .key("assistant_id")
      .string(identity.assistant_id)
      .end_object();
  const json::View ids_view(ids.text());
  const auto merged =
      json::merge({of_assistant["configurable"], of_thread["configurable"], of_request["configurable"]});
  const auto asked = only_allowed(json::View(merged));
  const auto user = user_configurable(identity.caller);
  const auto configurable =
      json::merge({json::View(asked), json::View(checkpoint), ids_view, json::View(user)});
  const auto metadata = json::merge({json::View(assistant.content.metadata), json::View(thread.metadata),
                                     json::View(run_metadata), of_request["metadata"], ids_view});

  auto limit = of_request["recursion_limit"].integer();
  if (!limit) limit = of_assistant["recursion_limit"].integer();

  json::Writer out;
  out.begin_object();
  constexpr std::array own = {"configurable", "metadata", "tags", "recursion_limit"};
  const auto both = json::merge(of_assistant, of_request);
  for (const auto& member : json::View(both).members())
    if (std::ranges::find(own, member.key) == own.end()) out.key(member.key).raw(member.value.raw());
  out.key("configurable").raw(configurable).key("metadata").raw(metadata).key("tags").begin_array();
  add_tags(out, of_assistant);
  add_tags(out, of_request);
  out.end_array().key("recursion_limit").integer(limit.value_or(default_recursion_limit)).end_object();
  return out.take();
}

std::string merge_context(const domain::Assistant& assistant, const std::string& context) {
  const json::View of_assistant(assistant.content.context);
  const json::View of_request(context);
  if (of_request.is_null()) return of_assistant.members().empty() ? "null" : assistant.content.context;
  if (!of_request.is_object()) return context;
  return json::merge(of_assistant, of_request);
}

std::string config_for_attempt(const domain::Run& run) {
  const json::View config(run.request.config);
  json::Writer configurable;
  configurable.begin_object();
  for (const auto& member : config["configurable"].members()) {
    const bool place =
        member.key == "checkpoint_id" || member.key == "checkpoint_ns" || member.key == "checkpoint_map";
    if (!(place && run.has_checkpoint)) configurable.key(member.key).raw(member.value.raw());
  }
  configurable.end_object();
  const auto attempt =
      json::Writer().begin_object().key("run_attempt").integer(run.attempt).end_object().take();
  const auto metadata = json::merge(config["metadata"], json::View(attempt));
  const auto patch = json::Writer()
                         .begin_object()
                         .key("configurable")
                         .raw(configurable.text())
                         .key("metadata")
                         .raw(metadata)
                         .end_object()
                         .take();
  return json::merge(config, json::View(patch));
}

}  // namespace dg::app
