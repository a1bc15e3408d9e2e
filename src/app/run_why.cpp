// What a run waits for.
#include <algorithm>

#include "app/changes.hpp"
#include "app/runs.hpp"
#include "base/json.hpp"

namespace dg::app {
namespace {

std::string one(std::string_view key, std::string_view value) {
  return json::Writer().begin_object().key(key).string(value).end_object().take();
}

Why waiting_for_time(const domain::Run& run) {
  const bool retry = run.attempt > 0;
  const auto until = to_rfc3339(run.not_before);
  return {run, retry ? "retry_backoff" : "delay",
          (retry ? "its worker was lost; the next attempt begins at " : "it starts no earlier than ") + until,
          one("until", until)};
}

// Whether the other run of its thread is to start first (or runs): see Queries::claimable_runs.
bool comes_before(const domain::Run& other, const domain::Run& run, WallTime now) {
  if (other.id == run.id || !domain::is_active(other.state)) return false;
  if (other.state == domain::RunState::in_progress) return true;
  if ((other.attempt > 0) != (run.attempt > 0)) return other.attempt > 0;
  return other.id < run.id && other.not_before <= now;
}

Why finished(const domain::Run& run) {
  auto message = "it is over: " + std::string(to_string(run.state));
  if (run.error) message += ": " + run.error->error + ": " + run.error->message;
  return {run, "finished", std::move(message), "{}"};
}

// The sessions that serve the graph, each with the runs that hold its slots.
Why waiting_for_slot(const domain::Run& run, const std::vector<std::shared_ptr<WorkerSession>>& serving) {
  json::Writer out;
  out.begin_object().key("graph_id").string(run.graph_id).key("sessions").begin_array();
  for (const auto& session : serving) {
    out.begin_object().key("session_id").string(session->id).key("slots").integer(session->slots);
    out.key("run_ids").begin_array();
    for (const auto& [id, epoch] : session->running) out.string(id);
    out.end_array().end_object();
  }
  out.end_array().end_object();
  return {run, "slots_busy",
          "every slot of the workers that serve the graph \"" + run.graph_id + "\" is busy", out.take()};
}

// What a thread's newest checkpoint is left to do, as its state tells it.
struct Left {
  std::string interrupts = "[]";  // the open questions
  std::vector<std::string> next;  // the nodes
};

Left left_to_do(const std::optional<store::CheckpointState>& head) {
  Left out{interrupts_of(head), {}};
  if (!head) return out;
  for (const auto task : json::View(head->projection)["tasks"].elements())
    if (!store::is_finished(task)) out.next.push_back(task["name"].string());
  return out;
}

// A run pauses for an answer, or at a breakpoint, where nothing is asked and a value would answer nothing.
std::string why_paused(const Left& left) {
  if (left.interrupts != "[]" || left.next.empty())
    return "it has paused for an answer; resume it with a value";
  std::string nodes;
  for (const auto& node : left.next) nodes += (nodes.empty() ? "" : ", ") + node;
  return "it has stopped at a breakpoint before " + nodes + "; a run without input on its thread goes on";
}

}  // namespace

Task<Result<Why>> Runs::waiting_for_person(domain::Run run) {
  const auto row = co_await context_.store.thread(run.thread_id);
  if (!row) co_return fail(row.error());
  const auto left = left_to_do(*row ? (*row)->head : std::nullopt);
  json::Writer out;
  out.begin_object().key("thread_id").string(run.thread_id).key("interrupts").raw(left.interrupts);
  out.key("next").begin_array();
  for (const auto& node : left.next) out.string(node);
  out.end_array().end_object();
  co_return Why{std::move(run), "person", why_paused(left), out.take()};
}

Task<Result<Why>> Runs::why(Caller caller, std::string run_id) {
  auto found = co_await get(caller, run_id);
  if (!found) co_return fail(found.error());
  const auto& run = *found;
  switch (run.state) {
    case domain::RunState::in_progress: {
      const auto session = workers_.session(run.session_id);
      co_return Why{run, "running", "it runs on the worker " + (session ? session->name : run.session_id),
                    one("session_id", run.session_id)};
    }
    case domain::RunState::requires_action:
      co_return co_await waiting_for_person(run);
    case domain::RunState::queued:
      break;
    default:
      co_return finished(run);
  }
  if (run.not_before > context_.env.clock.now()) co_return waiting_for_time(run);

  const auto thread = co_await context_.store.thread_now(run.thread_id);
  if (!thread) co_return fail(thread.error());
  if (const auto& lease = thread->head.lease)
    co_return Why{run, "thread_busy", "the thread is busy with " + lease->owner, one("run_id", lease->owner)};
  for (const auto& other : thread->open)
    if (comes_before(other, run, context_.env.clock.now()))
      co_return Why{run, "thread_busy", "the run " + other.id + " of the same thread comes first",
                    one("run_id", other.id)};

  auto serving = workers_.sessions();
  std::erase_if(serving, [&run](const std::shared_ptr<WorkerSession>& session) {
    const auto* graph = session->graph(run.graph_id);
    return graph == nullptr || graph->error != "null" || !session->connected() || session->draining;
  });
  if (!serving.empty()) co_return waiting_for_slot(run, serving);
  const auto graph = workers_.graph(run.graph_id);
  if (graph && graph->error != "null") {
    const json::View error(graph->error);
    co_return Why{run, "graph_broken",
                  "the graph \"" + run.graph_id + "\" cannot be imported: " + error["error"].string() + ": " +
                      error["message"].string(),
                  one("graph_id", run.graph_id)};
  }
  co_return Why{run, "no_worker", "no worker serves the graph \"" + run.graph_id + "\"",
                one("graph_id", run.graph_id)};
}

}  // namespace dg::app
