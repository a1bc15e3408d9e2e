#include "cli/bench/deployment.hpp"

#include <fmt/format.h>

namespace dg::cli::bench {
namespace {

// Debian has it in a folder that is not in everybody's PATH.
std::string find_broker() {
  for (const auto* const path :
       {"/usr/local/bin/nats-server", "/usr/bin/nats-server", "/usr/sbin/nats-server"})
    if (std::filesystem::exists(path)) return path;
  return "";
}

}  // namespace

Task<Result<std::unique_ptr<Broker>>> Broker::start(SystemWorld& loop) {
  const auto program = find_broker();
  if (program.empty()) co_return nullptr;
  auto broker = std::make_unique<Broker>();
  const auto folder = broker->scratch_.path().string();
  ChildOptions options;
  options.command = ending_with_us("KILL", {program, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", folder});
  options.directory = folder;
  auto server = Process::start(loop, options, "Listening for client connections on ");
  if (!server) co_return fail(server.error());
  broker->server_ = std::move(*server);
  const auto address = co_await broker->server_->wait_for_mark();
  if (!address) co_return fail(address.error());
  broker->url_ = "nats://" + *address;
  co_return broker;
}

Task<Result<std::unique_ptr<Deployment>>> Deployment::start(SystemWorld& loop, DeploymentOptions options) {
  auto deployment = std::make_unique<Deployment>();
  deployment->instances = options.instances;
  auto cluster =
      options.database_url.empty() ? co_await Cluster::start(loop) : Cluster::at(options.database_url);
  if (!cluster) co_return fail(cluster.error());
  deployment->cluster = std::move(*cluster);
  const auto described = deployment->cluster->describe();
  if (!described) co_return fail(described.error());
  auto broker = co_await Broker::start(loop);
  if (!broker) co_return fail(broker.error());
  deployment->broker = std::move(*broker);
  deployment->description = fmt::format(
      "duragraph serve, {} instance{}, on {}, {}", options.instances, options.instances == 1 ? "" : "s",
      *described, deployment->broker ? "with NATS" : "without NATS, which is not installed");
  co_return deployment;
}

}  // namespace dg::cli::bench
