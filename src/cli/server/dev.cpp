#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <set>

#include "base/log.hpp"
#include "base/system_world.hpp"
#include "cli/client/client.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/embed/host.hpp"
#include "cli/project/project.hpp"
#include "cli/server/data_folder.hpp"
#include "cli/server/instance.hpp"
#include "cli/server/options.hpp"
#include "cli/server/until_stopped.hpp"
#include "cli/server/worker_token.hpp"
#include "cli/supervisor/file_watch.hpp"
#include "cli/supervisor/supervisor.hpp"
#include "net/uri.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

// How long running work may go on after Ctrl-C.
constexpr Duration drain_time = std::chrono::seconds(5);

int report(const Error& error) {
  fmt::print(stderr, "duragraph: {}\n", error.message);
  if (error.code == Errc::conflict) return static_cast<int>(ExitCode::conflict);
  return static_cast<int>(error.code == Errc::unauthorized ? ExitCode::unauthorized : ExitCode::failed);
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
  if (done) done = co_await app.assistants.declare(graph.id, graph.description, graph.config, graph.context);
  if (!done) log::error("the graph \"{}\" could not be declared: {}", graph.id, done.error().message);
  --declaring.open;
  declaring.done.notify_all();
}

// All at once, so that the commits of many graphs share their flushes: clients wait for this.
Task<void> declare_graphs(app::App& app, const Project& project) {
  std::set<std::string, std::less<>> names;
  for (const auto& graph : project.graphs) names.insert(graph.id);
  app.workers.name_graphs(std::move(names));
  Declaring declaring{project.graphs.size(), Signal(app.context.env.timers)};
  for (const auto& graph : project.graphs)
    spawn(app.context.env.timers.executor(), "declare graph", declare_graph(app, graph, declaring));
  while (declaring.open > 0) co_await declaring.done.wait();
}

// Everything that `dev` runs; it lives until the process ends.
struct Dev : SystemWorld {
  std::unique_ptr<Instance> instance;
  std::unique_ptr<Supervisor> supervisor;
  std::unique_ptr<FileWatch> watch;
};

// langgraph.json and .env may name other graphs, and configure them otherwise, than before. A file that
// cannot be read changes nothing: the new processes say what is wrong with it.
Task<void> reload(Dev& dev, fs::path config) {
  if (const auto project = read_project(config)) co_await declare_graphs(dev.instance->app(), *project);
  dev.supervisor->reload();
}

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
  dev.watch = std::make_unique<FileWatch>(
      dev.io, dev.env, sources_of(project),
      [&dev, config = project.config] { spawn(dev.io.get_executor(), "reload", reload(dev, config)); });
  spawn(dev.io.get_executor(), "file watch", dev.watch->run());
}

struct WorkersEnding {
  bool over = false;
  Signal done;
};

Task<void> stop_workers(Supervisor& supervisor, SteadyTime deadline, WorkersEnding& ending) {
  co_await supervisor.stop(deadline);
  ending.over = true;
  ending.done.notify_all();
}

// A worker with nothing left to do ends its session before its interpreter has ended. The server needs
// only the first, so it closes while the second goes on.
Task<void> stop(Dev& dev, const DataFolder& data) {
  constexpr Duration look_again = std::chrono::milliseconds(20);
  auto& timers = *dev.timers;
  data.retract();
  WorkersEnding ending{!dev.supervisor, Signal(timers)};
  if (dev.supervisor)
    spawn(dev.io.get_executor(), "stop workers",
          stop_workers(*dev.supervisor, timers.now() + drain_time, ending));
  while (!ending.over && !dev.instance->app().workers.sessions().empty())
    co_await ending.done.wait_for(look_again);
  co_await dev.instance->drain(timers.now() + std::chrono::milliseconds(500));
  while (!ending.over) co_await ending.done.wait();
  dev.instance->close();
}

Task<void> leave_refused(Dev& dev) {
  co_await dev.supervisor->stop(dev.timers->now());
  std::_Exit(static_cast<int>(ExitCode::unauthorized));
}

}  // namespace

int run_dev(const DevOptions& options) {
  const auto project = read_project(config_path(options.dir, options.config));
  if (!project) return report(project.error());
  for (const auto& warning : project->warnings) log::warn("{}", warning);
  if (!options.ignored.empty())
    log::warn("{} {} nothing here", fmt::join(options.ignored, ", "),
              options.ignored.size() == 1 ? "does" : "do");
  const auto data = DataFolder::open(data_folder_of(project->dir));
  if (!data) return report(data.error());

  Dev dev;
  auto token = data->make_worker_token(*dev.random);
  if (!token) return report(token.error());
  const auto open_store = [path = data->database().string()](const Env& env) {
    return store::open_sqlite(env, {.path = path});
  };
  auto instance =
      Instance::open(dev.io, dev.env, {open_store, options.host, options.port, options.origins, *token, ""});
  if (!instance) return report(instance.error());
  dev.instance = std::move(*instance);
  spawn(dev.io.get_executor(), "begin", begin(dev, options, *project, *data, *token));
  run_until_stopped(dev.io, [&dev, &data] { return stop(dev, *data); });
}

int run_worker(const WorkerOptions& options) {
  if (const auto url = net::parse_ws_url(options.server); !options.server.empty() && !url) {
    fmt::print(stderr, "duragraph: --server: {} is no server's URL: {}\n", options.server,
               url.error().message);
    return static_cast<int>(ExitCode::usage);
  }
  const auto project = read_project(config_path(options.dir, options.config));
  if (!project) return report(project.error());
  for (const auto& warning : project->warnings) log::warn("{}", warning);
  const auto folder = data_folder_of(project->dir);
  const char* const environment = std::getenv("DURAGRAPH_WORKER_TOKEN");
  const auto token = worker_token(options.server, folder, environment != nullptr ? environment : "");
  if (token.text.empty())
    return report({Errc::unauthorized,
                   "a worker needs its server's token: set DURAGRAPH_WORKER_TOKEN, or start `duragraph dev` "
                   "on this folder",
                   {}});
  if (const auto made = make_data_folder(folder); !made) return report(made.error());
  auto supervised = supervisor_options(*project, folder);
  if (!supervised) return report(supervised.error());
  supervised->token = token.text;
  supervised->url = worker_server(options.server, folder);
  supervised->processes = options.processes;
  supervised->slots = options.slots;
  supervised->revision = options.revision;

  Dev dev;
  supervised->refused = [&dev, url = supervised->url, from = token.from] {
    report({Errc::unauthorized,
            fmt::format(
                "the server at {} refuses the token from {}; set DURAGRAPH_WORKER_TOKEN to the one in its "
                "data folder's worker-token, and --server to its URL",
                url, from),
            {}});
    spawn(dev.io.get_executor(), "refused", leave_refused(dev));
  };
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
