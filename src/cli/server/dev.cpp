#include <fmt/format.h>

#include <cstdio>

#include "base/log.hpp"
#include "cli/client/client.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/embed/host.hpp"
#include "cli/project/project.hpp"
#include "cli/server/data_folder.hpp"
#include "cli/server/instance.hpp"
#include "cli/server/options.hpp"
#include "cli/server/until_stopped.hpp"
#include "cli/supervisor/file_watch.hpp"
#include "cli/supervisor/supervisor.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

// How long running work may go on after Ctrl-C.
constexpr Duration drain_time = std::chrono::seconds(5);

int report(const Error& error) {
  fmt::print(stderr, "duragraph: {}\n", error.message);
  return static_cast<int>(error.code == Errc::conflict ? ExitCode::conflict : ExitCode::failed);
}

fs::path config_path(const std::string& dir, const std::string& config) {
  return config.empty() ? fs::path(dir) / "langgraph.json" : fs::path(config);
}

void print_banner(const Project& project, const std::string& url, const DataFolder& data) {
  fmt::print(
      "DuraGraph {}\n\n  API      {}\n  Studio   https://smith.langchain.com/studio/?baseUrl={}\n  data     "
      "{}\n  graphs   ",
      program_version(), url, url, data.path().string());
  for (std::size_t i = 0; i < project.graphs.size(); ++i)
    fmt::print("{}{}", i == 0 ? "" : ", ", project.graphs[i].id);
  fmt::print("\n\n");
  std::fflush(stdout);
}

// What both commands need to start graph processes.
Result<SupervisorOptions> supervisor_options(const Project& project, const fs::path& data) {
  SupervisorOptions out;
  if (const auto python = find_python(project.dir); !python) return fail(python.error());
  const auto host = unpack_host(data);
  if (!host) return fail(host.error());
  out.python = [dir = project.dir] { return find_python(dir); };
  out.host = *host;
  out.config = project.config;
  out.environment = [config = project.config, last = project.environment] {
    const auto now = read_project(config);  // .env may have changed since
    return now ? now->environment : last;
  };
  return out;
}

// What a project that reloads is watched for. langgraph.json may name other files after a change.
std::function<Sources()> sources_of(const Project& project) {
  return [config = project.config, last = project.sources]() mutable {
    if (auto now = read_project(config)) last = std::move(now->sources);
    return last;
  };
}

struct Declaring {
  std::size_t open;  // graphs that are not declared yet
  Signal done;
};

Task<void> declare_graph(app::App& app, ProjectGraph graph, Declaring& declaring) {
  auto done = co_await app.workers.declare_graph(graph.id, graph.description);
  if (done)
    done = co_await app.assistants.declare(graph.id, graph.description, graph.config, graph.context);
  if (!done) log::error("the graph \"{}\" could not be declared: {}", graph.id, done.error().message);
  --declaring.open;
  declaring.done.notify_all();
}

// All at once, so that the commits of many graphs share their flushes: clients wait for this.
Task<void> declare_graphs(app::App& app, const Project& project) {
  Declaring declaring{project.graphs.size(), Signal(app.context.env.timers)};
  for (const auto& graph : project.graphs)
    spawn(app.context.env.timers.executor(), "declare graph", declare_graph(app, graph, declaring));
  while (declaring.open > 0) co_await declaring.done.wait();
}

// Everything that `dev` runs; it lives until the process ends.
struct Dev {
  boost::asio::io_context io{1};
  std::unique_ptr<Clock> clock = make_system_clock();
  std::unique_ptr<Random> random = make_system_random();
  std::unique_ptr<Timers> timers = make_system_timers(io);
  Env env{*clock, *random, *timers};
  std::unique_ptr<Instance> instance;
  std::unique_ptr<Supervisor> supervisor;
  std::unique_ptr<FileWatch> watch;
};

Task<void> begin(Dev& dev, const DevOptions& options, const Project& project, const DataFolder& data,
                 std::string token) {
  if (const auto started = co_await dev.instance->start(); !started) {
    report(started.error());
    std::_Exit(static_cast<int>(ExitCode::failed));
  }
  co_await declare_graphs(dev.instance->app(), project);
  dev.instance->serve();
  if (const auto said = data.announce(dev.instance->url()); !said) log::warn("{}", said.error().message);
  print_banner(project, dev.instance->url(), data);
  if (!options.worker) co_return;
  auto supervised = supervisor_options(project, data.path());
  if (!supervised) {
    log::error("no worker is started: {}", supervised.error().message);
    co_return;
  }
  supervised->url = dev.instance->url();
  supervised->token = std::move(token);
  supervised->processes = options.processes;
  supervised->slots = options.slots;
  dev.supervisor = std::make_unique<Supervisor>(dev.io, dev.env, std::move(*supervised));
  dev.supervisor->start();
  if (!options.reload) co_return;
  dev.watch =
      std::make_unique<FileWatch>(dev.io, dev.env, sources_of(project), [&dev] { dev.supervisor->reload(); });
  spawn(dev.io.get_executor(), "file watch", dev.watch->run());
}

Task<void> stop(Dev& dev, const DataFolder& data) {
  const auto deadline = dev.timers->now() + drain_time;
  data.retract();
  if (dev.supervisor) co_await dev.supervisor->stop(deadline);
  co_await dev.instance->drain(dev.timers->now() + std::chrono::milliseconds(500));
}

}  // namespace

int run_dev(const DevOptions& options) {
  const auto project = read_project(config_path(options.dir, options.config));
  if (!project) return report(project.error());
  for (const auto& warning : project->warnings) log::warn("{}", warning);
  for (const auto& flag : options.ignored) log::warn("{} does nothing here", flag);
  const auto data = DataFolder::open(project->dir / ".duragraph");
  if (!data) return report(data.error());

  Dev dev;
  auto token = data->make_worker_token(*dev.random);
  if (!token) return report(token.error());
  auto instance =
      Instance::open(dev.io, {data->database(), options.host, options.port, options.origins, *token});
  if (!instance) return report(instance.error());
  dev.instance = std::move(*instance);
  spawn(dev.io.get_executor(), "begin", begin(dev, options, *project, *data, *token));
  run_until_stopped(dev.io, [&dev, &data] { return stop(dev, *data); });
}

int run_worker(const WorkerOptions& options) {
  const auto project = read_project(config_path(options.dir, options.config));
  if (!project) return report(project.error());
  for (const auto& warning : project->warnings) log::warn("{}", warning);
  const auto folder = project->dir / ".duragraph";
  std::error_code ignored;
  fs::create_directories(folder, ignored);
  auto supervised = supervisor_options(*project, folder);
  if (!supervised) return report(supervised.error());

  const char* const token = std::getenv("DURAGRAPH_WORKER_TOKEN");
  supervised->token = token != nullptr ? token : read_worker_token(folder).value_or("");
  if (supervised->token.empty())
    return report({Errc::unauthorized,
                   "a worker needs its server's token: set DURAGRAPH_WORKER_TOKEN, or start `duragraph dev` "
                   "on this folder",
                   {}});
  supervised->url =
      options.server.empty() ? read_server_url(folder).value_or("http://127.0.0.1:2024") : options.server;
  while (supervised->url.ends_with('/')) supervised->url.pop_back();
  supervised->processes = options.processes;
  supervised->slots = options.slots;
  supervised->revision = options.revision;

  Dev dev;
  dev.supervisor = std::make_unique<Supervisor>(dev.io, dev.env, std::move(*supervised));
  dev.supervisor->start();
  if (options.reload) {
    dev.watch = std::make_unique<FileWatch>(dev.io, dev.env, sources_of(*project),
                                            [&dev] { dev.supervisor->reload(); });
    spawn(dev.io.get_executor(), "file watch", dev.watch->run());
  }
  run_until_stopped(dev.io, [&dev] { return dev.supervisor->stop(dev.timers->now() + drain_time); });
}

}  // namespace dg::cli
