// The workers: who is connected, what they serve, which slots are free, who is still alive.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/context.hpp"
#include "app/worker_port.hpp"

namespace dg::app {

// A session as this instance sees it. Its row in the store outlives the process.
struct WorkerSession {
  std::string id;
  std::string secret_hash;
  std::string worker;  // JSON
  std::string name;
  std::string revision;
  std::int64_t slots = 0;
  bool supervised = false;
  bool draining = false;
  std::vector<RegisteredGraph> graphs;
  WallTime connected_at{};
  std::shared_ptr<WorkerLink> link;  // null while not connected
  SteadyTime last_beat{};            // when its life was heard of
  SteadyTime disconnected_at{};
  std::set<std::string> running;  // runs it owns
  std::int64_t reserved = 0;      // slots promised to commits in flight

  std::int64_t free_slots() const;
  const RegisteredGraph* graph(std::string_view graph_id) const;
};

// Called when a session is over: its leases are to be taken away. Returns when that is durable; on an
// error it is called again.
using SessionOver = std::function<Task<Status>(std::string session, std::string reason)>;

// unavailable: the graph cannot be imported, as `error` of its registration says (JSON). The message names
// the file and line; the one entry of `fields` is that place with the traceback.
Error import_error(const std::string& graph_id, const std::string& error);

class Workers {
 public:
  explicit Workers(Context& context);

  // Called with the graphs of each worker that connects, before it is answered.
  using GraphsSeen = std::function<Task<void>(std::vector<RegisteredGraph>)>;
  void on_graphs(GraphsSeen seen) { graphs_seen_ = std::move(seen); }

  // Reads the sessions and leases that survived a restart; each is observed anew from now on.
  Task<Status> load();
  // Watches over liveness until the process ends. `over` is called for each session that ended.
  Task<void> watch(SessionOver over);

  struct Welcome {
    std::vector<OwnedAnswer> owned;  // for each that the worker listed
    std::vector<LeaseOffer> offers;  // leases that it has and did not list: they never arrived
  };
  // A worker connects. forbidden: the secret is wrong. superseded: the session is over. The caller
  // answers, then sends the offers.
  Task<Result<Welcome>> hello(Hello hello, std::shared_ptr<WorkerLink> link);
  // The connection of a session closed. `clean`: the worker said that it is done (1000).
  void disconnected(const std::string& session, const WorkerLink* link, bool clean);
  void beat(const std::string& session);
  void ended(const std::string& session, std::string reason);
  // Something became a session's that is over: it is to be taken away again.
  void take_away(const std::string& session, std::string reason);
  void set_slots(const std::string& session, std::int64_t slots, bool draining);

  // A connected session with a free slot for the graph, the least busy one; its slot is reserved
  // until `release` or `own`.
  std::shared_ptr<WorkerSession> reserve(const std::string& graph_id);
  void release(const std::shared_ptr<WorkerSession>& session);
  void own(const std::shared_ptr<WorkerSession>& session, const std::string& run_id);
  void disown(const std::string& session, const std::string& run_id);

  // Graphs with a free slot somewhere, and how many slots are free.
  std::vector<std::string> graphs_with_free_slots() const;
  std::int64_t free_slots() const;
  std::int64_t slots() const;  // of connected sessions, busy ones among them
  std::size_t connected() const;
  std::size_t requests() const { return requests_.size(); }

  std::shared_ptr<WorkerSession> session(std::string_view id) const;
  std::vector<std::shared_ptr<WorkerSession>> sessions() const;
  // The session that owns the run or operation is told; dropped when it is not connected.
  void send(const std::string& session, ToWorker message);

  // Asks a worker that serves the graph, waiting for one until the deadline. unavailable: there is
  // none, or the graph's import failed everywhere; the reason is in the message. `session` fixes who
  // is asked, when it is set.
  Task<Result<std::string>> request(std::string graph_id, std::string method, std::string params,
                                    SteadyTime deadline, std::shared_ptr<WorkerSession> session = nullptr);
  // Waits for a connected session that serves the graph.
  Task<Result<std::shared_ptr<WorkerSession>>> find(std::string graph_id, SteadyTime deadline);
  void replied(std::int64_t id, Result<std::string> result);

  // Every graph that exists, with its last import error when nobody serves it: those that langgraph.json
  // names now, and those that workers brought, also while these are away. One that langgraph.json named once
  // and names no more exists only as long as a worker serves it: nobody else is to come.
  struct KnownGraph {
    std::string graph_id;
    std::string description;
    std::string error = "null";
    bool served = false;
  };
  std::vector<KnownGraph> graphs() const;
  std::optional<KnownGraph> graph(std::string_view graph_id) const;
  // Their names for a message: "agent, planner", or "none".
  std::string graph_names() const;
  // langgraph.json names these graphs and no other. Until this is said, it names every one that it ever did.
  void name_graphs(std::set<std::string, std::less<>> graph_ids);
  // One of them is known from now on.
  Task<Status> declare_graph(std::string graph_id, std::string description);
  // not_found: the graph does not exist; the message lists those that do.
  Error unknown_graph(std::string_view graph_id) const;

 private:
  struct PendingRequest {
    explicit PendingRequest(Timers& timers) : done(timers) {}
    Signal done;
    std::optional<Result<std::string>> result;
    std::string session;
    bool lost = false;  // the connection went away before the answer
  };
  Task<Status> remember(const WorkerSession& session, bool graphs_changed);
  void fail_requests(const std::string& session, const std::string& reason);
  std::optional<std::string> expired(const WorkerSession& session) const;
  bool exists(const store::GraphRow& row) const;

  Context& context_;
  GraphsSeen graphs_seen_;
  std::map<std::string, std::shared_ptr<WorkerSession>, std::less<>> sessions_;
  std::map<std::string, store::GraphRow, std::less<>> known_;  // also those that exist no more
  std::optional<std::set<std::string, std::less<>>> named_;    // by langgraph.json now
  std::map<std::string, std::string, std::less<>> ended_;      // session -> reason, to be taken away
  std::set<std::string, std::less<>> again_;                   // of those: once more, whatever is under way
  std::map<std::int64_t, PendingRequest> requests_;
  std::int64_t last_request_ = 0;
  Signal changed_;  // somebody connected, or something ended
};

}  // namespace dg::app
