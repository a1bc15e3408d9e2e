#include "api/langgraph/shapes.hpp"

#include <algorithm>

#include "store/documents.hpp"

namespace dg::api::langgraph {
namespace {

using json::View;
using json::Writer;
using store::is_finished;

void write_content(Writer& out, const domain::AssistantContent& content) {
  out.key("graph_id").string(content.graph_id).key("name").string(content.name);
  out.key("description").optional_string(content.description).key("config").raw(content.config);
  out.key("context").raw(content.context).key("metadata").raw(content.metadata);
}

void write_checkpoint(Writer& out, const store::CheckpointKey& key, const std::string& checkpoint_id) {
  if (checkpoint_id.empty()) {
    out.null();
    return;
  }
  out.begin_object().key("thread_id").string(key.thread_id).key("checkpoint_ns").string(key.ns);
  out.key("checkpoint_id").string(checkpoint_id).end_object();
}

bool is_asking(View task) {
  return !is_finished(task) && !task["interrupts"].elements().empty();
}

// The projection of a newest checkpoint as graph libraries tell it: `next` and interrupts are those of
// the tasks that are still to be done.
std::string projection_now(View projection) {
  Writer out;
  out.begin_object().key("next").begin_array();
  for (const auto task : projection["tasks"].elements())
    if (!is_finished(task)) out.raw(task["name"].raw());
  out.end_array().key("tasks").begin_array();
  for (const auto task : projection["tasks"].elements())
    out.raw(is_finished(task) ? json::merge(task, View(R"({"interrupts":[]})")) : std::string(task.raw()));
  out.end_array().end_object();
  return json::merge(projection, View(out.text()));
}

// task id -> its interrupts, for the tasks that wait for an answer.
void write_interrupt_map(Writer& out, const std::optional<store::CheckpointState>& head) {
  out.begin_object();
  if (head) {
    for (const auto task : View(head->projection)["tasks"].elements())
      if (is_asking(task)) out.key(task["id"].string()).raw(task["interrupts"].raw());
  }
  out.end_object();
}

void write_kwargs(Writer& out, const domain::RunRequest& request) {
  out.begin_object().key("input").raw(request.input).key("command").raw(request.command);
  out.key("config").raw(request.config).key("context").raw(request.context).key("stream_mode").begin_array();
  for (const auto& mode : request.stream_modes) out.string(mode);
  out.end_array().key("interrupt_before").raw(request.interrupt_before);
  out.key("interrupt_after").raw(request.interrupt_after).key("webhook").null().key("feedback_keys").null();
  out.key("temporary").boolean(request.temporary).key("subgraphs").boolean(request.stream_subgraphs);
  out.key("resumable").boolean(request.stream_resumable);
  out.key("durability").string(domain::to_string(request.durability)).end_object();
}

void write_item_members(Writer& out, const store::Item& item) {
  out.key("namespace").begin_array();
  for (const auto& label : item.ns) out.string(label);
  out.end_array().key("key").string(item.key).key("value").raw(item.value);
  out.key("created_at")
      .string(to_rfc3339(item.created_at))
      .key("updated_at")
      .string(to_rfc3339(item.updated_at));
}

}  // namespace

std::string_view status_word(domain::RunState state) {
  switch (state) {
    case domain::RunState::queued:
      return "pending";
    case domain::RunState::in_progress:
      return "running";
    case domain::RunState::requires_action:
    case domain::RunState::completed:
      return "success";
    case domain::RunState::failed:
      return "error";
    case domain::RunState::cancelled:
      return "interrupted";
    case domain::RunState::timed_out:
      return "timeout";
  }
  return "";
}

std::vector<domain::RunState> states_of(std::string_view word) {
  std::vector<domain::RunState> out;
  for (const auto state :
       {domain::RunState::queued, domain::RunState::in_progress, domain::RunState::requires_action,
        domain::RunState::completed, domain::RunState::failed, domain::RunState::cancelled,
        domain::RunState::timed_out})
    if (status_word(state) == word) out.push_back(state);
  return out;
}

void write_assistant(Writer& out, const domain::Assistant& assistant) {
  out.begin_object().key("assistant_id").string(assistant.id);
  write_content(out, assistant.content);
  out.key("version").integer(assistant.number).key("created_at").string(to_rfc3339(assistant.created_at));
  out.key("updated_at").string(to_rfc3339(assistant.updated_at)).end_object();
}

void write_assistant_version(Writer& out, const store::AssistantVersion& version) {
  out.begin_object().key("assistant_id").string(version.assistant_id);
  write_content(out, version.content);
  out.key("version").integer(version.number).key("created_at").string(to_rfc3339(version.created_at));
  out.key("updated_at").string(to_rfc3339(version.created_at)).end_object();
}

void write_thread(Writer& out, const store::ThreadRow& row) {
  const auto& thread = row.thread;
  out.begin_object()
      .key("thread_id")
      .string(thread.id)
      .key("created_at")
      .string(to_rfc3339(thread.created_at));
  out.key("updated_at").string(to_rfc3339(thread.updated_at));
  const auto state_updated = row.state_updated_at == WallTime{} ? thread.created_at : row.state_updated_at;
  out.key("state_updated_at").string(to_rfc3339(state_updated)).key("metadata").raw(thread.metadata);
  out.key("config").raw(thread.config).key("status").string(domain::to_string(row.status)).key("values");
  out.raw(row.head ? View(row.head->projection)["values"].raw() : "null").key("interrupts");
  write_interrupt_map(out, row.head);
  out.key("error");
  if (row.error) {
    out.begin_object()
        .key("error")
        .string(row.error->error)
        .key("message")
        .string(row.error->message)
        .end_object();
  } else {
    out.null();
  }
  out.end_object();
}

void write_run(Writer& out, const domain::Run& run) {
  out.begin_object().key("run_id").string(run.id).key("thread_id").string(run.thread_id);
  out.key("assistant_id").string(run.assistant_id).key("created_at").string(to_rfc3339(run.created_at));
  out.key("updated_at").string(to_rfc3339(run.updated_at)).key("status").string(status_word(run.state));
  out.key("metadata").raw(run.metadata).key("kwargs");
  write_kwargs(out, run.request);
  out.key("multitask_strategy").string(domain::to_string(run.request.multitask)).end_object();
}

void write_state(Writer& out, const store::CheckpointState& state) {
  const View projection(state.projection);
  const auto raw_or = [&](std::string_view name, std::string_view otherwise) {
    const auto found = projection.find(name);
    return found ? found->raw() : otherwise;
  };
  out.begin_object().key("values").raw(raw_or("values", "{}")).key("next").raw(raw_or("next", "[]"));
  out.key("tasks").raw(raw_or("tasks", "[]")).key("metadata").raw(state.metadata);
  out.key("created_at").raw(raw_or("created_at", "null")).key("checkpoint");
  write_checkpoint(out, state.key, state.key.checkpoint_id);
  out.key("parent_checkpoint");
  write_checkpoint(out, state.key, state.parent_id);
  out.key("interrupts").begin_array();
  for (const auto task : projection["tasks"].elements())
    for (const auto interrupt : task["interrupts"].elements()) out.raw(interrupt.raw());
  out.end_array().end_object();
}

void write_newest_state(Writer& out, const store::CheckpointState& state) {
  const View projection(state.projection);
  const auto tasks = projection["tasks"].elements();
  if (std::ranges::none_of(tasks, is_finished)) return write_state(out, state);
  auto now = state;
  now.projection = projection_now(projection);
  write_state(out, now);
}

void write_empty_state(Writer& out, const std::string& thread_id) {
  out.begin_object()
      .key("values")
      .raw("{}")
      .key("next")
      .raw("[]")
      .key("tasks")
      .raw("[]")
      .key("metadata")
      .raw("{}");
  out.key("created_at").null().key("checkpoint").begin_object().key("thread_id").string(thread_id);
  out.key("checkpoint_ns").string("").key("checkpoint_id").null().end_object();
  out.key("parent_checkpoint").null().key("interrupts").raw("[]").end_object();
}

void write_item(Writer& out, const store::Item& item) {
  out.begin_object();
  write_item_members(out, item);
  out.end_object();
}

void write_found_item(Writer& out, const store::Item& item) {
  out.begin_object();
  write_item_members(out, item);
  out.key("score").null().end_object();
}

std::string pick(View object, const std::vector<std::string>& names) {
  Writer out;
  out.begin_object();
  for (const auto& member : object.members())
    if (std::ranges::find(names, member.key) != names.end()) out.key(member.key).raw(member.value.raw());
  out.end_object();
  return out.take();
}

void add_pagination(net::Response& response, store::Page page, std::size_t rows, std::int64_t total) {
  response.headers.emplace_back("X-Pagination-Total", std::to_string(total));
  const auto next = page.offset + static_cast<std::int64_t>(rows);
  if (rows > 0 && next < total) response.headers.emplace_back("X-Pagination-Next", std::to_string(next));
}

}  // namespace dg::api::langgraph
