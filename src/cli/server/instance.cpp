#include "cli/server/instance.hpp"

#include <fmt/format.h>

#include "api/worker/endpoint.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/process_metrics.hpp"
#include "cli/client/client.hpp"
#include "cli/server/port_holder.hpp"

namespace dg::cli {
namespace {

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string reachable_host(const std::string& host) {
  if (host == "0.0.0.0") return "127.0.0.1";
  if (host == "::") return "[::1]";
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

void show_connections(Metrics& metrics, const net::Server& server) {
  const auto gauge = [&](const char* name, const char* help, auto member) {
    metrics.gauge_callback(name, help, {},
                           [&server, member] { return static_cast<double>(server.load().*member); });
  };
  gauge("duragraph_connections", "Open connections", &net::ServerLoad::connections);
  gauge("duragraph_connections_max", "More are turned away", &net::ServerLoad::max_connections);
  gauge("duragraph_websockets", "Connections that are WebSockets", &net::ServerLoad::websockets);
  gauge("duragraph_websocket_queued_bytes", "Bytes that wait for slow WebSockets",
        &net::ServerLoad::ws_queued_bytes);
  metrics.counter_callback("duragraph_tls_handshakes_failed_total",
                           "TLS handshakes that clients did not complete", {},
                           [&server] { return static_cast<double>(server.load().failed_handshakes); });
}

Histogram& loop_lag(Metrics& metrics) {
  return metrics.histogram("duragraph_event_loop_lag_seconds",
                           "How late the event loop was, looked at twice a second", {},
                           {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5});
}

// How late the loop comes to what is due: everything of the server waits that long.
Task<void> watch_loop(Timers& timers, Histogram& lag) {
  constexpr Duration pause = std::chrono::milliseconds(500);
  while (true) {
    const auto due = timers.now() + pause;
    co_await sleep_for(timers, pause);
    lag.observe(std::chrono::duration<double>(timers.now() - due).count());
  }
}

void show_log(Metrics& metrics) {
  using log::Level;
  for (const auto& [level, name] : {std::pair(Level::debug, "debug"), std::pair(Level::info, "info"),
                                    std::pair(Level::warn, "warn"), std::pair(Level::error, "error")})
    metrics.counter_callback("duragraph_log_lines_total", "Log lines, by level", {{"level", name}},
                             [level] { return static_cast<double>(log::written(level)); });
  metrics.counter_callback("duragraph_log_lines_dropped_total",
                           "Log lines that standard error had no room for", {},
                           [] { return static_cast<double>(log::dropped()); });
}

// They are there, at zero, also where no spans are recorded.
void show_spans(Metrics& metrics, const otlp::Exporter* exporter) {
  const auto counter = [&](const char* name, const char* help, const Labels& labels, auto member) {
    metrics.counter_callback(name, help, labels, [exporter, member] {
      return exporter == nullptr ? 0.0 : static_cast<double>(exporter->counts().*member);
    });
  };
  counter("duragraph_spans_exported_total", "Spans that the collector took", {}, &otlp::Counts::exported);
  constexpr const char* dropped = "duragraph_spans_dropped_total";
  constexpr const char* help = "Spans that were dropped, by reason";
  counter(dropped, help, {{"reason", "queue_full"}}, &otlp::Counts::dropped_full);
  counter(dropped, help, {{"reason", "not_delivered"}}, &otlp::Counts::dropped_failed);
}

}  // namespace

// In the order of their making; what uses something is destroyed before it.
struct Instance::Parts {
  InstanceOptions options;
  Metrics metrics;
  std::unique_ptr<bus::Bus> bus;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<otlp::Exporter> exporter;  // null: no spans are recorded
  std::unique_ptr<app::App> app;
  std::unique_ptr<api::Authenticator> authenticator;  // null: nobody is asked who they are
  std::unique_ptr<api::Api> api;
  std::unique_ptr<net::Server> server;
};

Instance::Instance(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Instance::~Instance() = default;

Result<std::unique_ptr<Instance>> Instance::open(boost::asio::io_context& io, const Env& env,
                                                 InstanceOptions options) {
  auto parts = std::make_unique<Parts>();
  parts->options = std::move(options);
  const auto& chosen = parts->options;
  parts->bus = chosen.open_bus ? chosen.open_bus(parts->metrics) : bus::make_local_bus();
  auto store = chosen.open_store(env);
  if (!store) return fail(store.error());
  parts->store = std::move(*store);
  const auto id = make_uuid7(env);
  log::set_instance(id);

  if (auto traces = chosen.traces) {
    traces->source.resource.emplace_back("service.instance.id", id);
    parts->exporter = std::make_unique<otlp::Exporter>(std::move(*traces));
  }
  show_spans(parts->metrics, parts->exporter.get());
  parts->app = std::make_unique<app::App>(app::Context{env,
                                                       *parts->store,
                                                       *parts->bus,
                                                       {.run_timeout = chosen.run_timeout},
                                                       id,
                                                       program_version(),
                                                       parts->exporter.get()},
                                          parts->metrics);
  parts->app->health.set_not_ready(chosen.not_ready);
  api::ApiSettings settings;
  // A proxy in front passes on the names that the world has for the server.
  settings.access.loopback_only = is_loopback(chosen.host) && chosen.trusted_proxies.empty();
  settings.access.origins = chosen.origins;
  settings.rate_limit = chosen.rate_limit;
  settings.trusted_proxies = chosen.trusted_proxies;
  api::worker::Identify identify;
  if (const auto& asked = chosen.authentication) {
    parts->authenticator = std::make_unique<api::Authenticator>(*parts->app, asked->tokens);
    auto* const by = parts->authenticator.get();
    identify = [by](const net::Request& request) { return by->identify(request); };
    if (asked->ask_clients)
      settings.authenticate = [by](net::Request& request) { return by->authenticate(request); };
  }
  parts->api = std::make_unique<api::Api>(*parts->app, std::move(settings));
  api::worker::add_worker_endpoint(parts->api->router(), *parts->app, chosen.worker_token,
                                   parts->api->limit(), std::move(identify));

  auto* const api = parts->api.get();
  auto server = net::listen(
      io, env, chosen.host, chosen.port, api->router(), api->middleware(),
      [api](const net::Request& request, const Error& error) { return api->refusal(request, error); }, {},
      chosen.tls);
  if (!server && server.error().code == Errc::conflict)
    return fail(
        Errc::conflict,
        fmt::format(
            "port {} is taken by {}; choose another with --port, or let the system choose with --port 0",
            chosen.port, port_holder(chosen.port)));
  if (!server) return fail(server.error());
  parts->server = std::move(*server);
  show_connections(parts->metrics, *parts->server);
  show_process(parts->metrics);
  show_log(parts->metrics);
  loop_lag(parts->metrics);
  parts->metrics
      .gauge("duragraph_build_info", "1, with the version of the program", {{"version", program_version()}})
      .set(1);
  return std::unique_ptr<Instance>(new Instance(std::move(parts)));
}

Task<Status> Instance::start() {
  auto& timers = parts_->app->context.env.timers;
  auto started = co_await parts_->app->start();
  if (started) spawn(timers.executor(), "loop lag", watch_loop(timers, loop_lag(parts_->metrics)));
  co_return started;
}

void Instance::serve() {
  parts_->server->serve();
}

app::App& Instance::app() {
  return *parts_->app;
}

std::string Instance::url() const {
  return fmt::format("{}://{}:{}", parts_->options.tls ? "https" : "http",
                     reachable_host(parts_->options.host), parts_->server->port());
}

void Instance::send_workers_away() {
  parts_->server->close_websockets();
}

Task<void> Instance::drain(SteadyTime deadline) {
  parts_->app->streams.send_readers_away();
  co_await parts_->server->drain(deadline);
}

void Instance::close() {
  constexpr std::chrono::milliseconds last_spans{2000};
  if (parts_->exporter) parts_->exporter->stop(last_spans);
  parts_->store->close();
}

}  // namespace dg::cli
