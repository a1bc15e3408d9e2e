// One server: its store, its use cases and its listening socket, on one event loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/api.hpp"
#include "api/authenticator.hpp"
#include "app/app.hpp"
#include "base/result.hpp"
#include "net/server.hpp"
#include "otlp/exporter.hpp"

namespace dg::cli {

// JWTs and API keys: workers may show one in any case.
struct Authentication {
  api::TokenChecks tokens;
  bool ask_clients = false;
};

struct InstanceOptions {
  std::function<Result<std::unique_ptr<store::Store>>(const Env&)> open_store;
  std::string host = "127.0.0.1";
  std::uint16_t port = 2024;
  std::vector<std::string> origins;  // beside the loopback ones and Studio's
  std::string worker_token;          // empty: no worker is taken
  std::string not_ready;             // why requests cannot be served yet; empty: they wait until serve()
  std::optional<api::RateLimits> rate_limit = {};  // nothing: requests are not counted
  net::Networks trusted_proxies = {};     // whose forwarded headers say who the client is, for the limit
  std::optional<net::TlsFiles> tls = {};  // nothing: in the clear
  std::optional<Authentication> authentication = {};                 // nothing: nobody is asked who they are
  std::function<std::unique_ptr<bus::Bus>(Metrics&)> open_bus = {};  // empty: inside this process
  Duration run_timeout = app::Settings{}.run_timeout;
  std::optional<otlp::Settings> traces = {};  // nothing: no spans are recorded
};

class Instance {
 public:
  // Opens the store and listens; clients wait until serve(). conflict: the port is taken;
  // invalid_argument: the files for TLS cannot be used. The loop and its ports outlive the instance.
  static Result<std::unique_ptr<Instance>> open(boost::asio::io_context& io, const Env& env,
                                                InstanceOptions options);
  ~Instance();

  // Reads what survived a restart and starts the loops of the use cases.
  Task<Status> start();
  // Begins to answer. Whoever asks sees what start() read, and the graphs that were declared before.
  void serve();
  app::App& app();
  // http://HOST:PORT, or https:, as a client on this machine reaches it.
  std::string url() const;
  // Closes the connections of workers and supervisors, which find another instance.
  void send_workers_away();
  // Ends open requests by `deadline` and takes no new ones.
  Task<void> drain(SteadyTime deadline);
  // Lets go of the database. Nothing of the instance may run after it.
  void close();

 private:
  struct Parts;
  explicit Instance(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace dg::cli
