#include "domain/run_history.hpp"

#include <array>
#include <span>

namespace dg::domain {
namespace {

using enum RunState;
using Why = std::optional<std::string>;

constexpr std::array owned{in_progress};
constexpr std::array waiting{queued};
constexpr std::array ending{in_progress, requires_action};
constexpr std::array stopping{queued, in_progress, requires_action};

Why expect_state(const Run& run, std::span<const RunState> states) {
  for (const auto state : states)
    if (run.state == state) return std::nullopt;
  return "the run is " + std::string(to_string(run.state)) + " then";
}

Why expect_next(std::string_view what, std::int64_t before, std::int64_t given) {
  if (given == before + 1) return std::nullopt;
  return "its " + std::string(what) + " is " + std::to_string(given) + " after " + std::to_string(before);
}

// One overload for each event that comes after the first.
struct Follows {
  const Run& run;

  Why operator()(const RunCreated&) const { return "the run exists already"; }
  Why operator()(const RunStarted& e) const {
    if (auto why = expect_state(run, waiting)) return why;
    if (auto why = expect_next("epoch", run.epoch, e.epoch)) return why;
    return expect_next("attempt", run.attempt, e.attempt);
  }
  Why operator()(const CheckpointSaved&) const { return expect_state(run, owned); }
  Why operator()(const RunRequiresAction&) const { return expect_state(run, owned); }
  Why operator()(const RunCancelRequested&) const { return expect_state(run, stopping); }
  Why operator()(const RunCompleted&) const { return expect_state(run, ending); }
  Why operator()(const RunFailed&) const { return expect_state(run, owned); }
  Why operator()(const RunCancelled&) const { return expect_state(run, stopping); }
  Why operator()(const RunTimedOut&) const { return expect_state(run, stopping); }
  Why operator()(const LeaseExpired& e) const {
    if (auto why = expect_state(run, owned)) return why;
    return expect_next("epoch", run.epoch, e.epoch);
  }
  Why operator()(const RunDeleted&) const {
    return is_active(run.state) ? Why("the run is " + std::string(to_string(run.state)) + " then")
                                : std::nullopt;
  }
};

}  // namespace

Why impossible_after(const Run& run, bool deleted, const RunEvent& event) {
  if (deleted) return "the run was deleted before";
  const bool first = std::holds_alternative<RunCreated>(event);
  if (run.version > 0) return std::visit(Follows{run}, event);
  return first ? Why() : "the run was not created before";
}

}  // namespace dg::domain
