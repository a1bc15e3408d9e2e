#include "cli/supervisor/supervisor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/log.hpp"

namespace dg::cli {
namespace {

constexpr int exit_broken = 3;  // of a reloaded worker whose graphs cannot be imported
constexpr Duration pause_max = std::chrono::seconds(10);

Environment own_environment() {
  Environment out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

// The first death is answered at once, since runs wait for it; what dies again and again is given time.
Duration pause_after(int deaths) {
  if (deaths <= 1) return Duration{};
  return std::min<Duration>(std::chrono::milliseconds(500 << std::min(deaths - 2, 5)), pause_max);
}

std::string describe(const ChildExit& end) {
  return end.signal != 0 ? fmt::format("signal {}", end.signal) : fmt::format("exit code {}", end.code);
}

void print_line(const std::string& line) {
  fmt::print(stderr, "{}\n", line);
}

}  // namespace

Supervisor::Supervisor(boost::asio::io_context& io, const Env& env, SupervisorOptions options)
    : io_(io),
      env_(env),
      options_(std::move(options)),
      link_(
          io, env, options_.url, options_.token, [this] { return alive(); }, options_.refused),
      changed_(env.timers) {}

void Supervisor::start() {
  spawn(io_.get_executor(), "supervisor", link_.run());
  generation_ = 1;
  for (int i = 0; i < options_.processes; ++i) launch(generation_, 0);
}

std::vector<std::string> Supervisor::alive() const {
  std::vector<std::string> out;
  for (const auto& worker : workers_)
    if (worker->child->is_going()) out.push_back(worker->session);
  return out;
}

std::size_t Supervisor::serving() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      workers_, [](const WorkerPtr& worker) { return worker->ready && !worker->leaving; }));
}

// The graphs that a change may not break, as a JSON list.
std::string Supervisor::served() const {
  std::set<std::string> graphs;
  for (const auto& worker : workers_)
    if (worker->ready && !worker->leaving) graphs.insert(worker->graphs.begin(), worker->graphs.end());
  json::Writer out;
  out.begin_array();
  for (const auto& graph : graphs) out.string(graph);
  return out.end_array().take();
}

ChildOptions Supervisor::child_options(const Worker& worker) const {
  ChildOptions child;
  child.command = {worker.python, "-m", "duragraph_host"};
  child.directory = options_.config.parent_path().string();
  child.environment = own_environment();
  for (auto& [name, value] : options_.environment()) child.environment[name] = value;
  auto& variables = child.environment;
  const auto path = variables.find("PYTHONPATH");
  variables["PYTHONPATH"] =
      options_.host.string() + (path == variables.end() || path->second.empty() ? "" : ":" + path->second);
  variables["PYTHONUNBUFFERED"] = "1";
  variables["DURAGRAPH_URL"] = options_.url;
  variables["DURAGRAPH_WORKER_TOKEN"] = options_.token;
  variables["DURAGRAPH_SESSION"] = worker.session;
  variables["DURAGRAPH_SESSION_SECRET"] = worker.secret;
  variables["DURAGRAPH_CONFIG"] = options_.config.string();
  variables["DURAGRAPH_SLOTS"] = std::to_string(options_.slots);
  variables.erase("DURAGRAPH_SERVED");
  variables["DURAGRAPH_RELOAD"] = is_reload(worker.generation) ? "1" : "0";
  if (is_reload(worker.generation)) variables["DURAGRAPH_SERVED"] = served();
  if (!options_.revision.empty()) variables["DURAGRAPH_REVISION"] = options_.revision;
  return child;
}

void Supervisor::launch(int generation, int deaths) {
  const auto python = options_.python();
  if (!python) {
    complain(python.error().message);
    replace(generation, deaths + 1);
    return;
  }
  auto worker = std::make_shared<Worker>();
  worker->session = make_uuid7(env_);
  worker->secret = make_secret(env_.random, 32);
  worker->generation = generation;
  worker->deaths = deaths;
  worker->python = python->string();
  auto child = Child::start(io_, child_options(*worker));
  if (!child) {
    complain(child.error().message);
    replace(generation, deaths + 1);
    return;
  }
  worker->child = std::move(*child);
  workers_.push_back(worker);
  spawn(io_.get_executor(), "worker", run(worker));
}

void Supervisor::replace(int generation, int deaths) {
  spawn(io_.get_executor(), "relaunch", relaunch(generation, deaths));
}

Task<void> Supervisor::relaunch(int generation, int deaths) {
  if (const auto pause = pause_after(deaths); pause != Duration{}) co_await sleep_for(env_.timers, pause);
  const bool wanted = generation == generation_ || generation == serving_;
  if (wanted && !stopping_) launch(generation, deaths);
}

int Supervisor::deaths_with(const Worker& worker) const {
  const bool proven =
      worker.finished || (worker.ready && env_.timers.now() - worker.ready_at >= options_.proven_after);
  return proven ? 1 : worker.deaths + 1;
}

// What keeps processes from serving is said once: it is tried again and again until it is mended.
void Supervisor::complain(const std::string& complaint) {
  if (complaint == complaint_) return;
  complaint_ = complaint;
  log::error("no worker can be started, which is tried again until it can: {}", complaint);
}

Task<void> Supervisor::run(WorkerPtr worker) {
  const auto end = co_await worker->child->run(
      worker->child, print_line, [this, worker](const std::string& line) { heard(worker, line); });
  std::erase(workers_, worker);
  link_.ended(worker->session, end.code, end.signal);
  changed_.notify_all();
  if (stopping_ || worker->leaving) co_return;
  const bool newest = worker->generation == generation_;
  if (!worker->ready && end.code == exit_broken && serving_ != 0) {
    if (newest) {
      log::error("the change cannot be loaded; the last good code goes on serving");
      generation_ = serving_;
    }
    co_return;
  }
  if (worker->generation != generation_ && worker->generation != serving_) co_return;
  const int deaths = deaths_with(*worker);
  if (!worker->problem.empty()) {
    complain(fmt::format("{}: {}", worker->python, worker->problem));
  } else {
    const auto seconds = std::chrono::duration<double>(pause_after(deaths)).count();
    log::warn("the worker (process {}) ended by {}; starting another {}", worker->child->pid(), describe(end),
              seconds > 0 ? fmt::format("in {:g} s", seconds) : "at once");
  }
  replace(worker->generation, deaths);
}

void Supervisor::heard(const WorkerPtr& worker, const std::string& line) {
  if (!json::validate(line, json::worker_rules)) return;
  const json::View event(line);
  const auto kind = event["event"].string();
  if (kind == "broken") {
    heard_broken(event);
  } else if (kind == "unusable") {
    worker->problem = event["message"].string();
  } else if (kind == "finished") {
    worker->finished = true;
  } else if (kind == "ready") {
    heard_ready(*worker, event);
  }
}

// Each process of a generation finds the same, and one that dies is followed by another that does.
void Supervisor::heard_broken(json::View event) {
  const auto graph = event["graph_id"].string();
  const auto file = event["file"].string();
  const auto said = fmt::format(
      "{}: {}{}", event["error"].string(), event["message"].string(),
      file.empty() ? "" : fmt::format(" ({}, line {})", file, event["line"].integer().value_or(0)));
  if (std::exchange(broken_[graph], said) == said) return;
  log::error("the graph \"{}\" cannot be imported: {}", graph, said);
  auto traceback = event["traceback"].string();
  if (traceback.ends_with('\n')) traceback.pop_back();
  if (!traceback.empty()) print_line(traceback);
}

void Supervisor::heard_ready(Worker& worker, json::View event) {
  worker.ready = true;
  worker.ready_at = env_.timers.now();
  for (const auto graph : event["graphs"].elements()) worker.graphs.insert(graph.string());
  for (const auto& graph : worker.graphs) broken_.erase(graph);
  complaint_.clear();
  const bool all = std::ranges::all_of(workers_, [&](const WorkerPtr& other) {
    return other->generation != worker.generation || other->ready;
  });
  if (all && worker.generation > serving_) {
    serving_ = worker.generation;
    retire_older_than(serving_);
  }
  changed_.notify_all();
}

void Supervisor::retire_older_than(int generation) {
  for (const auto& worker : workers_) {
    if (worker->generation >= generation || worker->leaving) continue;
    worker->leaving = true;
    worker->child->tell(R"({"cmd":"drain"})");
  }
}

void Supervisor::reload() {
  if (stopping_) return;
  log::info("the code changed; loading it");
  complaint_.clear();
  broken_.clear();
  // A generation that never served is not waited for.
  for (const auto& worker : workers_) {
    if (worker->generation <= serving_ || worker->ready) continue;
    worker->leaving = true;
    worker->child->kill(SIGKILL);
  }
  ++generation_;
  for (int i = 0; i < options_.processes; ++i) launch(generation_, 0);
}

Task<void> Supervisor::stop(SteadyTime deadline) {
  stopping_ = true;
  link_.expect_the_end();
  for (const auto& worker : workers_) {
    // One that does not serve yet has nothing to finish, and does not listen.
    if (worker->ready) {
      worker->child->tell(R"({"cmd":"drain"})");
    } else {
      worker->child->kill(SIGTERM);
    }
  }
  while (!workers_.empty() && co_await changed_.wait_until(deadline)) {
  }
  for (const int signal : {SIGTERM, SIGKILL}) {
    for (const auto& worker : workers_) worker->child->kill(signal);
    const auto limit = env_.timers.now() + std::chrono::seconds(2);
    while (!workers_.empty() && co_await changed_.wait_until(limit)) {
    }
  }
}

}  // namespace dg::cli
