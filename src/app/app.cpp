#include "app/app.hpp"

#include <map>
#include <string>

#include "base/log.hpp"

namespace dg::app {
namespace {

// Gauges of every queue with its bound, and of who is there.
void show_loads(App& app) {
  const auto gauge = [&app](const char* name, const char* help, const Labels& labels, auto value) {
    app.metrics.gauge_callback(name, help, labels, [&app, value] { return static_cast<double>(value(app)); });
  };
  const auto store = [&](const char* name, const char* help, auto member) {
    gauge(name, help, {}, [member](App& a) { return a.context.store.load().*member; });
  };
  using store::StoreLoad;
  store("duragraph_store_queued_commits", "Commits that wait to be written", &StoreLoad::queued_commits);
  store("duragraph_store_queued_commits_max", "More are refused", &StoreLoad::max_queued_commits);
  store("duragraph_store_queued_bytes", "Bytes of commits that wait", &StoreLoad::queued_bytes);
  store("duragraph_store_queued_bytes_max", "More are refused", &StoreLoad::max_queued_bytes);
  store("duragraph_store_queued_reads", "Reads that wait for a connection", &StoreLoad::queued_reads);
  store("duragraph_store_queued_reads_max", "More are refused", &StoreLoad::max_queued_reads);
  const auto total = [&](const char* name, const char* help, auto member) {
    app.metrics.counter_callback(
        name, help, {}, [&app, member] { return static_cast<double>(app.context.store.load().*member); });
  };
  total("duragraph_store_commits_total", "Commits written or refused", &StoreLoad::commits);
  total("duragraph_store_transactions_total", "Transactions they were written in", &StoreLoad::batches);
  store("duragraph_database_connections", "Open connections for reads", &StoreLoad::connections);
  store("duragraph_database_connections_in_use", "Those that read", &StoreLoad::connections_in_use);
  store("duragraph_database_connections_max", "More are not opened", &StoreLoad::max_connections);
  total("duragraph_database_connections_opened_total", "Connections for reads that were opened",
        &StoreLoad::connections_opened);
  total("duragraph_database_connections_lost_total", "Connections for reads that broke",
        &StoreLoad::connections_lost);

  gauge("duragraph_leader", "1 where this instance does what one of all does at a time", {},
        [](App& a) { return a.leadership.leads() ? 1 : 0; });
  gauge("duragraph_workers", "Worker sessions that are connected to this instance", {},
        [](App& a) { return a.workers.connected(); });
  gauge("duragraph_slots", "Slots of connected workers", {}, [](App& a) { return a.workers.slots(); });
  gauge("duragraph_slots_free", "Free slots of connected workers", {},
        [](App& a) { return a.workers.free_slots(); });
  gauge("duragraph_worker_requests", "Questions to workers that wait for an answer", {},
        [](App& a) { return a.workers.requests(); });
  gauge("duragraph_runs_followed", "Runs that a client streams or waits for", {},
        [](App& a) { return a.streams.live_runs(); });
  gauge("duragraph_run_waiters", "Clients that stream or wait for a run", {},
        [](App& a) { return a.streams.waiting(); });
  app.metrics.counter_callback("duragraph_stream_frames_total", "Stream frames that became durable", {},
                               [&app] { return static_cast<double>(app.streams.frames()); });
}

// Why a commit was not written, in few words.
std::string reason_of(Errc code) {
  switch (code) {
    case Errc::conflict:
      return "conflict";
    case Errc::superseded:
      return "superseded";
    case Errc::busy:
      return "busy";
    case Errc::unavailable:
      return "unavailable";
    case Errc::timeout:
      return "timeout";
    default:
      return "failed";
  }
}

// Times commits. What is refused is not what the database takes for writing, and is only counted.
void watch_commits(App& app) {
  auto& seconds = app.metrics.histogram(
      "duragraph_store_commit_seconds", "From a commit's queueing until it was durable", {},
      {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30});
  std::map<std::string, Counter*> failures;
  for (const auto code :
       {Errc::conflict, Errc::superseded, Errc::busy, Errc::unavailable, Errc::timeout, Errc::internal})
    failures[reason_of(code)] =
        &app.metrics.counter("duragraph_store_commit_failures_total",
                             "Commits that were not written, by reason", {{"reason", reason_of(code)}});
  app.context.store.watch_commits(
      app.context.env.timers, [&seconds, failures](Duration took, const Result<store::Committed>& answer) {
        if (answer) return seconds.observe(std::chrono::duration<double>(took).count());
        failures.at(reason_of(answer.error().code))->add();
      });
}

}  // namespace

App::App(Context made_context, Metrics& made_metrics)
    : context(std::move(made_context)),
      metrics(made_metrics),
      health(context),
      leadership(context.env.timers, !context.bus.reaches_others()),
      workers(context, leadership),
      assistants(context, workers),
      streams(context),
      runs(context, workers, assistants, streams, metrics),
      owners(context, workers, runs, streams),
      threads(context, workers) {
  workers.on_graphs([this](std::vector<RegisteredGraph> graphs) { return greet(std::move(graphs)); });
  show_loads(*this);
  watch_commits(*this);
}

App::~App() {
  context.store.watch_commits(context.env.timers, {});
}

Task<void> App::greet(std::vector<RegisteredGraph> graphs) {
  for (auto& graph : graphs) {
    if (graph.error != "null") continue;
    const auto done = co_await assistants.ensure_default(graph.graph_id, graph.description);
    if (!done) log::error("the graph \"{}\" has no assistant: {}", graph.graph_id, done.error().message);
  }
}

Task<Status> App::start() {
  if (auto loaded = co_await workers.load(); !loaded) co_return loaded;
  const auto executor = context.env.timers.executor();
  spawn(executor, "liveness", workers.watch([this](std::string session, std::string reason) {
    return runs.take_from(std::move(session), std::move(reason));
  }));
  spawn(executor, "dispatch", runs.dispatch());
  spawn(executor, "leader", lead());
  spawn(executor, "time-outs", runs.end_overdue(leadership));
  spawn(executor, "retention", runs.retain(leadership));
  co_return Status{};
}

Task<Status> App::take_up() {
  if (auto cancels = co_await runs.recover(); !cancels) co_return cancels;
  if (auto operations = co_await threads.recover(); !operations) co_return operations;
  if (!context.bus.reaches_others()) co_return Status{};
  co_return co_await workers.end_orphans();
}

Task<void> App::lead() {
  while (true) {
    co_await leadership.wait_until_leading();
    log::debug("this instance leads");
    workers.observe_anew();
    // Others remember what they have begun; when one dies, its part is taken up here.
    while (leadership.leads()) {
      const auto done = co_await take_up();
      if (!done) log::error("what others have begun could not be read: {}", done.error().message);
      if (done && !context.bus.reaches_others()) co_return;
      co_await leadership.wait_while_leading(done ? context.settings.safety_net : retry_pause);
    }
  }
}

}  // namespace dg::app
