// The bodies of requests that start a run, and what they are made from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/client/api.hpp"

namespace dg::cli {

// The body of POST /threads/{id}/runs and of POST /runs. JSON fields are text; absent ones are not sent.
struct RunBody {
  std::string assistant_id;
  std::optional<std::string> input;
  std::optional<std::string> command;
  std::optional<std::string> config;
  std::optional<std::string> context;
  std::optional<std::string> metadata;
  std::optional<std::string> interrupt_before;
  std::optional<std::string> interrupt_after;
  std::optional<std::string> checkpoint_id;
  std::optional<double> after_seconds;
  std::optional<std::string> multitask_strategy;
  std::optional<std::string> durability;
  bool stream_subgraphs = false;
  // Those that show a run as it happens, unless others are asked for.
  std::vector<std::string> stream_modes{"values", "messages-tuple", "updates", "custom"};

  std::string to_json() const;
};

// The request of an earlier run, without the ids that the server adds to each.
RunBody repeat_of(json::View run);

// A thread, and the run on it that was named, where it was one.
struct Target {
  std::string thread_id;
  std::string assistant_id;
  std::string run;  // the run as JSON, or empty
};

// Finds what an id names: a run first, else a thread. Its assistant is the run's, or that of the
// thread's last run. not_found when it is neither; invalid_argument when the thread never had a run.
Result<Target> find_target(Api& api, const std::string& id);

}  // namespace dg::cli
