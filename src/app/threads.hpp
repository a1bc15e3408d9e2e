// Threads and their state.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/caller.hpp"
#include "app/context.hpp"
#include "app/lines.hpp"
#include "app/workers.hpp"

namespace dg::app {

// Where in a thread's history: an empty id means the newest.
struct StateAddress {
  std::string thread_id;
  std::string ns;
  std::string checkpoint_id;
};

struct StateUpdate {
  std::string values = "null";  // object, array or null
  std::optional<std::string> as_node;
  std::string checkpoint_id;  // empty: the newest
  std::string checkpoint_ns;
  std::string checkpoint_map = "null";
};

struct HistoryQuery {
  std::string thread_id;
  std::string ns;
  std::string checkpoint_id;  // empty: any
  std::string before;         // a checkpoint id; empty: from the newest
  std::string metadata = "{}";
  std::int64_t limit = 10;
};

class Threads {
 public:
  Threads(Context& context, Workers& workers);

  // conflict when it exists and `keep_existing` is false, or when it is another user's.
  Task<Result<store::ThreadRow>> create(Caller caller, std::optional<std::string> id, std::string metadata,
                                        bool keep_existing);
  Task<Result<store::ThreadRow>> get(Caller caller, std::string id);
  Task<Result<store::ThreadRow>> patch(Caller caller, std::string id, std::string metadata);
  // Cancels and deletes its runs too.
  Task<Status> remove(Caller caller, std::string id);
  Task<Result<store::ThreadRow>> copy(Caller caller, std::string id);
  Task<Result<store::Found<store::ThreadRow>>> search(Caller caller, store::ThreadFilter filter,
                                                      store::Page page);

  // Nothing when the thread has no such checkpoint (a thread without any has none).
  Task<Result<std::optional<store::CheckpointState>>> state(Caller caller, StateAddress address);
  // The state with those of its subgraphs where asked, as JSON made by a worker: its values are those of the
  // checkpoint with what finished tasks wrote since.
  Task<Result<std::string>> worker_state(Caller caller, StateAddress address, std::string checkpoint_map,
                                         bool subgraphs);
  Task<Result<std::vector<store::CheckpointState>>> history(Caller caller, HistoryQuery query);
  // A worker applies the update under a lease of the thread, another one where it went away before it had.
  // Gives {"checkpoint": {…}}. Errors: busy, bad_request (no graph has run on the thread), unavailable (no
  // worker), timeout (the update may have happened).
  Task<Result<std::string>> update_state(Caller caller, std::string thread_id, StateUpdate update);

  // Takes the thread for an operation of a worker's own session. busy while it has another owner.
  Task<Result<store::Lease>> begin(std::string thread_id, std::string session_id);
  Task<Status> end(std::string operation);
  // Operations that are in flight, whoever began them, end after their time, which is counted from now.
  Task<Status> recover();

 private:
  // A try_… is one attempt: conflict when somebody else changed the thread first.
  Task<Result<store::ThreadRow>> try_patch(Caller caller, std::string id, std::string metadata);
  Task<Status> try_remove(Caller caller, std::string id);
  struct Operation {
    std::shared_ptr<WorkerSession> session;
    store::Lease lease;
  };
  Task<Result<Operation>> begin_on(std::string graph_id, std::string thread_id);
  struct Update {
    std::string graph_id;
    std::string thread_id;
    std::string config;
    std::string values;
    std::optional<std::string> as_node;
  };
  // One attempt, by one worker. `may_go_on`: its lease may be there still.
  Task<Result<std::string>> try_update(const Update& update, bool& may_go_on);
  // Whether that is the newest checkpoint still.
  Task<bool> is_unchanged(const StateAddress& newest);
  Task<void> expire(std::string operation);
  Context& context_;
  Workers& workers_;
  std::set<std::string, std::less<>> expiring_;  // operations whose time this instance counts
  Lines lines_;                                  // of threads
};

}  // namespace dg::app
