#include "cli/server/instance.hpp"

#include <fmt/format.h>

#include "api/worker/endpoint.hpp"
#include "base/metrics.hpp"
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

}  // namespace

// In the order of their making; what uses something is destroyed before it.
struct Instance::Parts {
  InstanceOptions options;
  Metrics metrics;
  std::unique_ptr<bus::Bus> bus;
  std::unique_ptr<store::Store> store;
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

  parts->app = std::make_unique<app::App>(
      app::Context{env, *parts->store, *parts->bus, {}, make_uuid7(env), program_version()}, parts->metrics);
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
  return std::unique_ptr<Instance>(new Instance(std::move(parts)));
}

Task<Status> Instance::start() {
  co_return co_await parts_->app->start();
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
  co_await parts_->server->drain(deadline);
}

void Instance::close() {
  parts_->store->close();
}

}  // namespace dg::cli
