// What an event is, whichever aggregate it belongs to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/env.hpp"

namespace dg::domain {

enum class AggregateType { assistant, thread, run };
std::string_view to_string(AggregateType type);

// The project that everything belongs to; there is one today.
inline constexpr std::string_view default_project = "default";

// An event as it is stored: the fact, not a copy of the state after it.
struct EventRecord {
  std::string id;  // UUIDv7
  AggregateType aggregate = AggregateType::run;
  std::string aggregate_id;
  std::int64_t version = 0;  // 1, 2, 3, … of its aggregate, without gaps
  std::string type;          // "RunCreated"
  std::string payload;       // JSON object
  std::string metadata;      // JSON object: project, actor, request id
  std::string thread_id;     // the thread whose log it is an entry of; empty for none
  std::int64_t seq = 0;      // its place in that log; 0 for none
  WallTime at{};
};

}  // namespace dg::domain
