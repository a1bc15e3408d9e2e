// The stream of events in NATS JetStream.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/env.hpp"
#include "bus/event_stream.hpp"
#include "bus/nats/connection.hpp"

namespace dg::bus::nats {

struct StreamSettings {
  std::chrono::seconds max_age = std::chrono::hours(7 * 24);
  std::int64_t max_bytes = std::int64_t{1} << 30;
  int replicas = 1;
};

// The connection and what `env` names outlive it.
std::unique_ptr<EventStream> make_jetstream(const Env& env, Connection& connection, StreamSettings settings);

// duragraph-events-SCOPE
std::string stream_name(const std::string& scope);

}  // namespace dg::bus::nats
