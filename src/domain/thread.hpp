// The thread: a conversation, the unit of order. Its state lives in checkpoints; the aggregate holds
// what people set on it.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/env.hpp"
#include "base/result.hpp"

namespace dg::domain {

enum class ThreadStatus { idle, busy, interrupted, error };
std::string_view to_string(ThreadStatus status);
std::optional<ThreadStatus> thread_status_from(std::string_view text);

struct Thread {
  std::string id;
  std::string metadata = "{}";
  std::string config = "{}";  // of the assistant it last ran with
  WallTime created_at{};
  WallTime updated_at{};
  std::int64_t version = 0;
  bool temporary = false;              // made by a run that had none, and deleted some time after it
  std::optional<std::string> owner{};  // the user whom it belongs to; none: nobody's
};

struct ThreadCreated {
  std::string metadata = "{}";
  bool temporary = false;
  std::optional<std::string> owner{};
};
struct ThreadPatched {
  std::string metadata = "{}";  // merged member by member
};
// A run was created on it: clients list threads by these.
struct ThreadBound {
  std::string graph_id;
  std::string assistant_id;
  std::string config = "{}";
};
// Somebody other than a run wrote a checkpoint.
struct ThreadStateUpdated {
  std::string checkpoint_id;
  std::string ns;  // empty: the root's
};
struct ThreadCopied {
  std::string source;
  std::string metadata = "{}";
  std::string config = "{}";
  std::optional<std::string> owner{};
};
struct ThreadDeleted {};

using ThreadEvent =
    std::variant<ThreadCreated, ThreadPatched, ThreadBound, ThreadStateUpdated, ThreadCopied, ThreadDeleted>;

std::string_view type_of(const ThreadEvent& event);
std::string payload_of(const ThreadEvent& event);
Result<ThreadEvent> thread_event_from(std::string_view type, std::string_view payload);
Thread evolve(Thread thread, const ThreadEvent& event, WallTime at);

// What a thread's status follows from.
struct ThreadActivity {
  bool active_run = false;
  bool operation = false;          // holds its lease
  bool newest_run_failed = false;  // or timed out
  bool unvisited_nodes = false;    // in its newest root checkpoint
};
ThreadStatus status_of(const ThreadActivity& activity);

}  // namespace dg::domain
