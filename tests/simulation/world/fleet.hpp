// All server processes, and the balancer in front of them.
#pragma once

#include <memory>
#include <vector>

#include "simulation/world/server.hpp"

namespace dg::simulation {

struct Fleet {
  // A connection to one of those that listen, each in its turn. One that is stopped still takes connections.
  std::shared_ptr<Wire> connect() {
    for (std::size_t tries = 0; tries < servers.size(); ++tries)
      if (auto wire = servers[next++ % servers.size()]->connect()) return wire;
    return nullptr;
  }

  std::vector<std::unique_ptr<Server>> servers;
  std::size_t next = 0;
};

}  // namespace dg::simulation
