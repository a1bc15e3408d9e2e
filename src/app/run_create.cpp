// Creating a run: the decision against the thread's other runs, and the claim of a free slot, in one
// commit.
#include <algorithm>

#include "app/assistants.hpp"
#include "app/changes.hpp"
#include "app/run_config.hpp"
#include "app/runs.hpp"
#include "base/json.hpp"
#include "domain/multitask.hpp"

namespace dg::app {
namespace {

std::string metadata_frame(const std::string& run_id, std::int64_t attempt) {
  return json::Writer()
      .begin_object()
      .key("run_id")
      .string(run_id)
      .key("attempt")
      .integer(attempt)
      .end_object()
      .take();
}

// The thread's row as it is to be after the run was created on it.
void bind_thread(store::Commit& commit, domain::Thread& thread, const domain::Assistant& assistant,
                 bool is_new, WallTime now) {
  if (is_new) append_thread(commit, thread, domain::ThreadCreated{}, now);
  const json::View metadata(thread.metadata);
  const bool bound = metadata["graph_id"].string() == assistant.content.graph_id &&
                     metadata["assistant_id"].string() == assistant.id &&
                     thread.config == assistant.content.config;
  if (!bound)
    append_thread(commit, thread,
                  domain::ThreadBound{assistant.content.graph_id, assistant.id, assistant.content.config},
                  now);
  if (is_new || !bound) commit.changes.emplace_back(store::PutThread{thread});
}

}  // namespace

Task<Result<domain::Assistant>> Runs::resolve(std::string reference) {
  auto assistant = co_await context_.store.assistant(assistant_id_of(reference));
  if (!assistant) co_return fail(assistant.error());
  if (!*assistant) {
    co_return fail(Errc::not_found,
                   "No assistant found for \"" + reference +
                       "\". Make sure the assistant ID is for a valid assistant or a valid graph ID. " +
                       "Graphs here: " + workers_.graph_names() + ".");
  }
  const auto graph = workers_.graph((*assistant)->content.graph_id);
  if (graph && !graph->served && graph->error != "null") {
    const json::View error(graph->error);
    co_return fail(Errc::unavailable, "the graph \"" + graph->graph_id + "\" cannot be imported: " +
                                          error["error"].string() + ": " + error["message"].string());
  }
  co_return std::move(**assistant);
}

Task<Result<domain::Run>> Runs::create(RunOrder order) {
  auto assistant = co_await resolve(order.assistant);
  if (!assistant) co_return fail(assistant.error());
  if (!order.thread_id) {
    order.thread_id = make_uuid7(context_.env);
    order.create_thread = true;
  }
  for (int attempt = 0;; ++attempt) {
    auto run = co_await try_create(order, *assistant);
    const bool again = !run && run.error().code == Errc::conflict && attempt + 1 < decide_attempts;
    if (!again) co_return run;
  }
}

Task<Result<domain::Run>> Runs::try_create(RunOrder order, domain::Assistant assistant) {
  const auto now = context_.env.clock.now();
  const std::string thread_id = *order.thread_id;
  const auto row = co_await context_.store.thread(thread_id);
  if (!row) co_return fail(row.error());
  if (!*row && !order.create_thread)
    co_return fail(Errc::not_found, "Thread with ID " + thread_id + " not found");
  const auto head = co_await context_.store.thread_head(thread_id);
  if (!head) co_return fail(head.error());
  auto others = co_await context_.store.open_runs(thread_id);
  if (!others) co_return fail(others.error());
  const bool operation = head->lease && head->lease->kind == store::LeaseKind::operation;
  const auto plan = domain::plan_multitask(order.request.multitask, *others, operation);
  if (!plan) co_return fail(plan.error());

  const json::View fork(order.checkpoint);
  if (fork["checkpoint_id"].is_string()) {
    const auto id = fork["checkpoint_id"].string();
    const auto state = co_await context_.store.state(thread_id, fork["checkpoint_ns"].string(), id);
    if (!state) co_return fail(state.error());
    if (!*state) co_return fail(Errc::not_found, "the thread has no checkpoint " + id);
  }

  store::Commit commit;
  commit.conditions.emplace_back(store::ThreadUnchanged{thread_id, head->turn});
  domain::Thread thread = *row ? (*row)->thread : domain::Thread{};
  thread.id = thread_id;
  bind_thread(commit, thread, assistant, !*row, now);

  domain::Run run;
  run.id = make_uuid7(context_.env);
  run.thread_id = thread_id;
  const RunIdentity identity{run.id, thread_id, assistant.id, assistant.content.graph_id};
  const auto metadata = json::merge(json::View(assistant.content.metadata), json::View(order.metadata));
  domain::RunRequest request = std::move(order.request);
  request.config = merge_config(assistant, thread, request.config, metadata, order.checkpoint, identity,
                                context_.settings.recursion_limit);
  request.context = merge_context(assistant, request.context);
  std::vector<domain::RunEvent> events{domain::RunCreated{thread_id, assistant.id, assistant.content.graph_id,
                                                          request, metadata, now + order.after}};

  // The others come first, so that the newest run of the thread is the new one.
  std::vector<domain::Run> to_stop;
  for (auto& other : *others) {
    if (std::ranges::find(plan->resume, other.id) != plan->resume.end()) {
      append_run(commit, other, *domain::decide_resumed_by(other, run.id), now);
    } else if (std::ranges::find(plan->cancel, other.id) != plan->cancel.end()) {
      auto decided = domain::decide_cancel(other, plan->action);
      if (!decided) co_return fail(decided.error());
      const bool was_queued = other.state == domain::RunState::queued;
      const bool erase = was_queued && plan->action == domain::CancelAction::rollback;
      if (erase) decided->push_back(domain::RunDeleted{"rolled back by run " + run.id});
      append_run(commit, other, *decided, now, erase);
      to_stop.push_back(other);
    }
  }

  const bool active =
      std::ranges::any_of(*others, [](const domain::Run& r) { return domain::is_active(r.state); });
  std::shared_ptr<WorkerSession> session;
  if (!active && !head->lease && order.after == Duration{})
    session = workers_.reserve(assistant.content.graph_id);
  if (session) {
    const auto created = domain::evolve(run, events.front(), now);
    const auto started =
        domain::decide_start(created, {session->id, session->name, session->revision, 0, 0}, now);
    if (started) events.insert(events.end(), started->begin(), started->end());
  }
  append_run(commit, run, events, now);
  if (session)
    commit.changes.emplace_back(
        store::PutLease{{run.id, store::LeaseKind::run, thread_id, run.epoch, session->id, 0}});
  const std::vector<store::Frame> frames{{"metadata", metadata_frame(run.id, 1)}};
  commit.changes.emplace_back(store::AppendFrames{run.id, thread_id, frames});

  auto committed = co_await context_.store.commit(std::move(commit));
  if (!committed) {
    if (session) workers_.release(session);
    // Somebody took the thread in between; whether that matters is decided again.
    if (session && committed.error().code == Errc::busy)
      co_return fail(Errc::conflict, committed.error().message);
    co_return fail(committed.error());
  }
  if (session) {
    workers_.own(session, run.id);
    workers_.send(session->id, LeaseOffer{run});
    if (!workers_.session(session->id))
      spawn(context_.env.timers.executor(), "lose_owner", take_from(session->id, "it ended"));
  }
  for (const auto& other : to_stop) {
    wake(other);
    if (other.state != domain::RunState::in_progress) continue;
    workers_.send(other.session_id, CancelOrder{other.id, other.epoch, other.cancel});
    spawn(context_.env.timers.executor(), "enforce_cancel", enforce_cancel(other.id, other.epoch));
  }
  for (const auto& id : plan->resume) context_.bus.publish(bus::Topic::run, id);
  wake(run);
  co_return run;
}

}  // namespace dg::app
