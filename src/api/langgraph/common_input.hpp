// Fields that several requests have. What is wrong is noted in the body or query.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "api/input.hpp"
#include "store/queries.hpp"

namespace dg::api::langgraph {

inline constexpr std::initializer_list<std::string_view> stream_modes = {
    "values", "messages", "messages-tuple", "updates", "events", "tasks", "checkpoints", "debug", "custom"};

// The fields `limit` and `offset`.
store::Page read_page(Body& body);
store::Page read_page(Query& query);

// The config of a run or an assistant. Only what graph libraries know is taken: they would make a
// configurable value of anything else, past the server's rules for those.
std::string read_config(Body& body);

// The field `checkpoint_id`; libraries say "" for the newest.
std::optional<std::string> read_checkpoint_id(Body& body);

// A place in a thread's history, as far as the request names one.
struct CheckpointPlace {
  std::optional<std::string> id;
  std::optional<std::string> ns;
  std::string map = "null";
};

// The field `checkpoint`, or else the older `checkpoint_id`. It may name the thread `thread_id` only.
CheckpointPlace read_checkpoint(Body& body, std::string_view thread_id);

}  // namespace dg::api::langgraph
