#include "cli/client/run_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace dg::cli {
namespace {

// What the server writes into every run's configurable and metadata.
bool is_servers_own(std::string_view key) {
  constexpr std::array<std::string_view, 7> names{"run_id",  "thread_id",   "graph_id",  "assistant_id",
                                                  "user_id", "run_attempt", "created_by"};
  return std::ranges::find(names, key) != names.end() || key.starts_with("__") ||
         key.starts_with("langgraph_");
}

std::string without_servers_own(json::View object) {
  json::Writer out;
  out.begin_object();
  for (const auto& member : object.members()) {
    if (!is_servers_own(member.key)) out.key(member.key).raw(member.value.raw());
  }
  return out.end_object().take();
}

std::string clean_config(json::View config) {
  json::Writer out;
  out.begin_object();
  for (const auto& member : config.members()) {
    const bool has_ids = member.key == "configurable" || member.key == "metadata";
    out.key(member.key).raw(has_ids ? without_servers_own(member.value) : std::string(member.value.raw()));
  }
  return out.end_object().take();
}

std::optional<std::string> given(json::View value) {
  if (value.is_null()) return std::nullopt;
  return std::string(value.raw());
}

}  // namespace

std::string RunBody::to_json() const {
  json::Writer out;
  out.begin_object().key("assistant_id").string(assistant_id);
  const auto raw = [&](const char* name, const std::optional<std::string>& value) {
    if (value) out.key(name).raw(*value);
  };
  raw("input", input);
  raw("command", command);
  raw("config", config);
  raw("context", context);
  raw("metadata", metadata);
  raw("interrupt_before", interrupt_before);
  raw("interrupt_after", interrupt_after);
  if (checkpoint_id) {
    out.key("checkpoint").begin_object().key("checkpoint_id").string(*checkpoint_id);
    out.key("checkpoint_ns").string("").end_object();
  }
  if (after_seconds) out.key("after_seconds").number(*after_seconds);
  if (multitask_strategy) out.key("multitask_strategy").string(*multitask_strategy);
  if (durability) out.key("durability").string(*durability);
  if (stream_subgraphs) out.key("stream_subgraphs").boolean(true);
  out.key("stream_mode").begin_array();
  for (const auto& mode : stream_modes) out.string(mode);
  out.end_array().key("stream_resumable").boolean(true).key("on_disconnect").string("continue");
  return out.end_object().take();
}

RunBody repeat_of(json::View run) {
  const auto kwargs = run["kwargs"];
  RunBody body;
  body.assistant_id = run["assistant_id"].string();
  body.input = given(kwargs["input"]);
  body.command = given(kwargs["command"]);
  if (kwargs["config"].is_object()) body.config = clean_config(kwargs["config"]);
  body.context = given(kwargs["context"]);
  if (run["metadata"].is_object()) body.metadata = without_servers_own(run["metadata"]);
  body.interrupt_before = given(kwargs["interrupt_before"]);
  body.interrupt_after = given(kwargs["interrupt_after"]);
  if (auto text = kwargs["durability"].string(); !text.empty()) body.durability = text;
  body.stream_subgraphs = kwargs["subgraphs"].boolean().value_or(false);
  std::vector<std::string> modes;
  for (const auto& mode : kwargs["stream_mode"].elements()) modes.push_back(mode.string());
  if (!modes.empty()) body.stream_modes = std::move(modes);
  return body;
}

Result<Target> find_target(Api& api, const std::string& id) {
  auto run = api.run(id);
  if (run) {
    const json::View view(*run);
    return Target{view["thread_id"].string(), view["assistant_id"].string(), *run};
  }
  if (run.error().code != Errc::not_found && run.error().code != Errc::invalid_argument)
    return fail(run.error());
  const auto thread = api.thread(id);
  if (!thread && thread.error().code == Errc::not_found) {
    return fail(Errc::not_found, fmt::format("{} is neither a run nor a thread", id));
  }
  if (!thread) return fail(thread.error());
  auto assistant = json::View(*thread)["metadata"]["assistant_id"].string();
  if (assistant.empty()) {
    return fail(Errc::invalid_argument,
                fmt::format("the thread {} has had no run, so nothing says which assistant", id));
  }
  return Target{id, std::move(assistant), {}};
}

}  // namespace dg::cli
