#include "app/app.hpp"

namespace dg::app {

App::App(Context made_context, Metrics& made_metrics)
    : context(std::move(made_context)),
      metrics(made_metrics),
      workers(context),
      streams(context),
      runs(context, workers, streams),
      owners(context, workers, runs, streams),
      threads(context, workers, owners),
      assistants(context, workers) {}

Task<Status> App::start() {
  if (auto loaded = co_await workers.load(); !loaded) co_return loaded;
  if (auto recovered = co_await runs.recover(); !recovered) co_return recovered;
  if (auto recovered = co_await threads.recover(); !recovered) co_return recovered;
  const auto executor = context.env.timers.executor();
  spawn(executor, "liveness", workers.watch([this](std::string session, std::string reason) {
    return runs.take_from(std::move(session), std::move(reason));
  }));
  spawn(executor, "dispatch", runs.dispatch());
  spawn(executor, "retention", runs.retain());
  co_return Status{};
}

}  // namespace dg::app
