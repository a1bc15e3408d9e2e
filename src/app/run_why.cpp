// What a run waits for.
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

}  // namespace

Task<Result<Why>> Runs::why(std::string run_id) {
  auto found = co_await get(run_id);
  if (!found) co_return fail(found.error());
  const auto& run = *found;
  switch (run.state) {
    case domain::RunState::in_progress: {
      const auto session = workers_.session(run.session_id);
      co_return Why{run, "running", "it runs on the worker " + (session ? session->name : run.session_id),
                    one("session_id", run.session_id)};
    }
    case domain::RunState::requires_action:
      co_return Why{run, "person", "it has paused for an answer; resume it with a value",
                    one("thread_id", run.thread_id)};
    case domain::RunState::queued:
      break;
    default:
      co_return Why{run, "finished", "it is over: " + std::string(to_string(run.state)), "{}"};
  }
  if (run.not_before > context_.env.clock.now()) co_return waiting_for_time(run);

  const auto head = co_await context_.store.thread_head(run.thread_id);
  if (!head) co_return fail(head.error());
  if (head->lease)
    co_return Why{run, "thread_busy", "the thread is busy with " + head->lease->owner,
                  one("run_id", head->lease->owner)};
  const auto others = co_await context_.store.open_runs(run.thread_id);
  if (!others) co_return fail(others.error());
  for (const auto& other : *others)
    if (other.id < run.id && domain::is_active(other.state) && other.not_before <= context_.env.clock.now())
      co_return Why{run, "thread_busy", "the run " + other.id + " of the same thread comes first",
                    one("run_id", other.id)};

  bool served = false;
  for (const auto& session : workers_.sessions()) {
    const auto* graph = session->graph(run.graph_id);
    served = served || (graph != nullptr && graph->error == "null" && session->link && !session->draining);
  }
  if (served)
    co_return Why{run, "slots_busy",
                  "every slot of the workers that serve the graph \"" + run.graph_id + "\" is busy",
                  one("graph_id", run.graph_id)};
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
