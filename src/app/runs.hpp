// Runs: creating, cancelling, deleting, waiting, and what one waits for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/assistants.hpp"
#include "app/context.hpp"
#include "app/lines.hpp"
#include "app/run_meters.hpp"
#include "app/streams.hpp"
#include "app/workers.hpp"
#include "base/metrics.hpp"
#include "domain/multitask.hpp"

namespace dg::app {

// A run as a client asks for it. JSON fields are validated text.
struct RunOrder {
  std::string assistant;                 // an assistant's id or a graph's name
  std::optional<std::string> thread_id;  // none: a thread of its own
  bool create_thread = false;            // when the thread does not exist
  domain::RunRequest request;            // config and context as the client gave them
  std::string metadata = "{}";
  std::string checkpoint = "null";  // {checkpoint_id, checkpoint_ns, checkpoint_map}: where to fork
  Duration after{};                 // start no earlier than this from now
};

struct CancelFilter {
  std::optional<std::string> thread_id;
  std::vector<std::string> run_ids;  // empty: by states
  std::vector<domain::RunState> states;
};

// What a run waits for, or that it does not wait.
struct Why {
  domain::Run run;
  std::string code;     // no_worker, graph_broken, slots_busy, thread_busy, person, delay, retry_backoff,
                        // running, finished
  std::string message;  // for a person
  std::string details = "{}";  // the ids: graph_id, run_id, session_id, until, interrupts, next
};

// What a run's owner said together with its completion: its numbers `first_n` to `last_n`, of which the
// last is the completion's own.
struct RunProgress {
  std::int64_t first_n = 0;
  std::int64_t last_n = 0;
  std::vector<domain::RunEvent> events;
  std::vector<store::Change> changes;
  std::vector<store::Frame> frames;
};

class Runs {
 public:
  Runs(Context& context, Workers& workers, Assistants& assistants, Streams& streams, Metrics& metrics);

  // Answers when the run is durable; it may be running already. Errors: not_found (assistant, graph,
  // thread), busy (multitask reject).
  Task<Result<domain::Run>> create(Caller caller, RunOrder order);
  // Creates several, each on a thread of its own, in one commit: all or none. Errors as for one.
  Task<Result<std::vector<domain::Run>>> create_all(Caller caller, std::vector<RunOrder> orders);
  // The run; with a thread id only if it belongs to that thread.
  Task<Result<domain::Run>> get(Caller caller, std::string run_id,
                                std::optional<std::string> thread_id = std::nullopt);
  Task<Result<std::vector<domain::Run>>> list(Caller caller, store::RunFilter filter, store::Page page);
  // Answers when the request is durable; the run may still be running. A run that is over is left alone.
  Task<Result<domain::Run>> cancel(Caller caller, std::string run_id, domain::CancelAction action);
  // Returns how many were cancelled.
  Task<Result<std::int64_t>> cancel_many(Caller caller, CancelFilter filter, domain::CancelAction action);
  // Deletes the run with its checkpoints. busy while it, or another run of its thread, is executed.
  Task<Status> remove(Caller caller, std::string run_id);
  // Waits until the run is not active; gives its result as join and wait answer it: the last values
  // frame, with __interrupt__ when it paused, or {"__error__": …}.
  Task<Result<std::string>> join(std::string run_id, SteadyTime deadline);
  Task<Result<Why>> why(Caller caller, std::string run_id);

  // --- by the worker protocol and the sweepers ---
  // Takes away everything that a session owned. On an error some of it may be left.
  Task<Status> take_from(std::string session_id, std::string reason);
  // Applies an owner's completion with what came before it, all or nothing. superseded when it is not the
  // owner.
  Task<Status> complete(std::string run_id, std::int64_t epoch, RunProgress progress, CompleteSaid said);
  // Gives queued runs to free slots, for ever.
  Task<void> dispatch();
  // Goes on with cancels that are in flight, whoever began them.
  Task<Status> recover();
  // Ends attempts that take longer than they may, for ever, while this instance leads.
  Task<void> end_overdue(Leadership& leadership);
  // Deletes frames and temporary threads whose time is over, for ever, while this instance leads.
  Task<void> retain(Leadership& leadership);

 private:
  struct Creation;

  // A try_… is one attempt: conflict when somebody else changed the run or its thread first.
  Task<Result<domain::Run>> get(std::string run_id) { return get(the_server, std::move(run_id)); }
  Task<Result<domain::Assistant>> resolve(Caller caller, std::string reference);
  Task<Status> check_fork(const RunOrder& order);
  // `known`: the thread, where it was read before.
  Task<Result<domain::Run>> try_create(Caller caller, RunOrder order, domain::Assistant assistant,
                                       std::optional<Result<store::ThreadNow>> known);
  // Decides and gathers what is to be committed; a slot that it reserved is given back on failure.
  Task<Result<Creation>> prepare(Caller caller, RunOrder order, domain::Assistant assistant,
                                 store::ThreadNow found, WallTime now);
  // Cancels the thread's other runs, or takes over from them, as planned.
  static Status settle_others(Creation& creation, std::vector<domain::Run> others,
                              const domain::MultitaskPlan& plan);
  // Adds the run itself, started where it may start and a slot is free.
  void add_run(Creation& creation, domain::RunCreated created, bool may_start);
  // Frees the slot that a creation has reserved, which was not committed because of `error`.
  Task<void> give_back(const Creation& creation, Error error);
  // Tells everybody whom the commit of a creation concerns. `has_checkpoints`: the thread of one that was
  // started.
  void created(const Creation& creation, bool has_checkpoints);

  Task<Result<Why>> waiting_for_person(domain::Run run);
  struct Starting;
  Task<void> start_one(domain::Run run, std::shared_ptr<WorkerSession> session,
                       std::shared_ptr<Starting> starting);
  Task<Status> start(domain::Run run, std::shared_ptr<WorkerSession> session);
  // The commit that was to give something to the session failed, or its outcome is not known.
  Task<void> not_started(std::shared_ptr<WorkerSession> session, Error error);
  Task<Status> lose_owner(std::string run_id, std::string session_id, std::string reason);
  Task<Status> try_lose_owner(std::string run_id, std::string session_id, std::string reason);
  Task<Result<domain::Run>> try_cancel(Caller caller, std::string run_id, domain::CancelAction action);
  // The run in progress is asked to stop, and fenced off when it does not.
  Task<Result<domain::Run>> ask_to_stop(Caller caller, domain::Run run, std::vector<domain::RunEvent> events);
  Task<Status> end_overdue_once();
  Task<Status> try_time_out(std::string run_id, std::int64_t epoch);
  Task<Status> try_remove(Caller caller, std::string run_id);
  Task<Status> try_complete(std::string run_id, std::int64_t epoch, RunProgress progress, CompleteSaid said);
  // Fences the run off when its worker has not stopped it in time.
  Task<void> enforce_cancel(std::string run_id, std::int64_t epoch);
  Task<Status> fence_off(std::string run_id, std::int64_t epoch);
  Task<Status> try_fence_off(std::string run_id, std::int64_t epoch);
  // Commits the end of a run: what its owner said last, its events, its row or, after a rollback, its
  // deletion, its lease and its last frame.
  Task<Status> end_with(domain::Run run, std::vector<domain::RunEvent> events,
                        std::optional<store::Fence> fence = std::nullopt, RunProgress progress = {},
                        Caller caller = the_server);
  // Gives the tracer the span of an attempt that `run`, which outlives this, has come out of.
  Task<void> record_attempt(RunMeters::Attempt attempt, const domain::Run& run);
  Task<Result<std::string>> result_of(domain::Run run);
  // How many runs it started.
  Task<Result<int>> dispatch_once();
  Task<Status> retain_once();
  Task<Result<std::int64_t>> erase_frames(std::vector<std::string> ids);
  Task<Result<bool>> end_temporary(domain::Run run);
  void wake(const domain::Run& run);

  Context& context_;
  Workers& workers_;
  Assistants& assistants_;
  Streams& streams_;
  RunMeters meters_;
  std::set<std::string, std::less<>> stopping_;  // runs whose cancel is enforced by this instance
  Lines lines_;                                  // of threads on which runs are created
  Signal queue_;                                 // something may be claimable
  std::uint64_t queue_changes_ = 0;              // counts its notifications, so that none is missed
  bus::Subscription queue_wakes_;
};

}  // namespace dg::app
