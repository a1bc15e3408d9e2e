// The assistant: a graph with configuration. Every change makes a version; numbers are never used
// twice, also after going back to an older one.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/env.hpp"
#include "base/result.hpp"

namespace dg::domain {

// The namespace of the ids of the assistants that each graph has by itself.
inline constexpr std::string_view assistant_namespace = "6ba7b821-9dad-11d1-80b4-00c04fd430c8";

struct AssistantContent {
  std::string graph_id;
  std::string name;
  std::optional<std::string> description;
  std::string config = "{}";
  std::string context = "{}";
  std::string metadata = "{}";
};

struct Assistant {
  std::string id;
  AssistantContent content;
  std::int64_t number = 0;         // of the version in force
  std::int64_t newest_number = 0;  // the highest ever given
  WallTime created_at{};
  WallTime updated_at{};
  std::int64_t version = 0;            // of the aggregate
  std::optional<std::string> owner{};  // the user whom it belongs to; none: nobody's, and for all
};

struct AssistantCreated {
  AssistantContent content;
  std::optional<std::string> owner{};
};
struct AssistantUpdated {
  AssistantContent content;  // the whole of the new version
  std::int64_t number = 0;
};
struct AssistantVersionChosen {
  AssistantContent content;
  std::int64_t number = 0;
};
struct AssistantDeleted {};

using AssistantEvent =
    std::variant<AssistantCreated, AssistantUpdated, AssistantVersionChosen, AssistantDeleted>;

std::string_view type_of(const AssistantEvent& event);
std::string payload_of(const AssistantEvent& event);
Result<AssistantEvent> assistant_event_from(std::string_view type, std::string_view payload);
Assistant evolve(Assistant assistant, const AssistantEvent& event, WallTime at);

}  // namespace dg::domain
