// Small pieces that use cases build their commits from.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/json.hpp"
#include "store/documents.hpp"
#include "store/store.hpp"

namespace dg::app {

// How often a command is decided again after somebody else changed its aggregate first.
inline constexpr int decide_attempts = 10;

// Makes attempts, each of which decides on what it reads anew, until one succeeds or fails for
// another reason than that somebody else changed the aggregate first. unavailable: somebody always
// did. What `attempt` refers to must live until the task is done.
template <class Attempt>
std::invoke_result_t<Attempt> until_decided(Attempt attempt) {
  for (int left = decide_attempts;; --left) {
    auto done = co_await attempt();
    if (done || done.error().code != Errc::conflict) co_return done;
    if (left <= 1)
      co_return fail(Errc::unavailable, "too many others change this at the same time; try again");
  }
}

inline std::unexpected<Error> unknown_thread(const std::string& id) {
  return fail(Errc::not_found, "Thread with ID " + id + " not found");
}

// The frame that begins an attempt, and voids the output of the last.
inline store::Frame metadata_frame(const std::string& run_id, std::int64_t attempt) {
  json::Writer out;
  out.begin_object().key("run_id").string(run_id).key("attempt").integer(attempt).end_object();
  return {"metadata", out.take()};
}

// An event of an aggregate as the store takes it.
template <class Event>
store::NewEvent new_event(const Event& event) {
  return {std::string(domain::type_of(event)), domain::payload_of(event)};
}

// Appends a decision to the commit, whose time is set, and evolves `run`; its row is written too unless
// `erase` says that it goes with everything it has.
inline void append_run(store::Commit& commit, domain::Run& run, const std::vector<domain::RunEvent>& events,
                       bool erase = false) {
  if (events.empty()) return;
  store::Append append{domain::AggregateType::run, run.id, run.version, run.thread_id, {}};
  for (const auto& event : events) {
    append.events.push_back(new_event(event));
    run = domain::evolve(std::move(run), event, commit.at.value());
  }
  commit.appends.push_back(std::move(append));
  if (erase) {
    commit.changes.emplace_back(store::EraseRun{run.id});
  } else {
    commit.changes.emplace_back(store::PutRun{run});
  }
}

// Events of one thread in a row are one append: where the thread was erased before, the version that the
// second would have to follow is the old thread's and not known here.
inline void append_thread(store::Commit& commit, domain::Thread& thread, const domain::ThreadEvent& event) {
  constexpr auto type = domain::AggregateType::thread;
  auto& appends = commit.appends;
  const bool goes_on = !appends.empty() && appends.back().aggregate == type && appends.back().id == thread.id;
  if (!goes_on) appends.push_back({type, thread.id, thread.version, thread.id, {}});
  appends.back().events.push_back(new_event(event));
  thread = domain::evolve(std::move(thread), event, commit.at.value());
}

inline std::string frame_json(const domain::RunError& error) {
  return json::Writer()
      .begin_object()
      .key("error")
      .string(error.error)
      .key("message")
      .string(error.message)
      .end_object()
      .take();
}

// The open questions of a thread's newest checkpoint, as a JSON list of interrupts.
inline std::string interrupts_of(const std::optional<store::CheckpointState>& head) {
  json::Writer out;
  out.begin_array();
  if (head)
    for (const auto task : json::View(head->projection)["tasks"].elements())
      for (const auto interrupt : task["interrupts"].elements())
        if (!store::is_finished(task)) out.raw(interrupt.raw());
  out.end_array();
  return out.take();
}

}  // namespace dg::app
