// What the servers of a bench are deployed on: PostgreSQL, NATS where it is installed, and how many
// instances.
#pragma once

#include "cli/bench/cluster.hpp"

namespace dg::cli::bench {

struct DeploymentOptions {
  std::string database_url;  // empty: a PostgreSQL of its own
  int instances = 1;
};

// A nats-server with JetStream in a temporary folder. Destroying it kills it.
class Broker {
 public:
  // Null when it is not installed.
  static Task<Result<std::unique_ptr<Broker>>> start(SystemWorld& loop);
  const std::string& url() const { return url_; }

 private:
  ScratchFolder scratch_{"bench-nats"};
  std::unique_ptr<Process> server_;
  std::string url_;
};

struct Deployment {
  static Task<Result<std::unique_ptr<Deployment>>> start(SystemWorld& loop, DeploymentOptions options);

  std::unique_ptr<Cluster> cluster;
  std::unique_ptr<Broker> broker;  // null: it is measured without NATS
  int instances = 1;
  std::string description;  // of all that
};

}  // namespace dg::cli::bench
