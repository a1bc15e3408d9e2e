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
#include "app/leadership.hpp"
#include "app/worker_messages.hpp"
#include "app/worker_port.hpp"

namespace dg::app {

// A session as this instance sees it. Its row in the store outlives the process, and is shared with others.
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
  std::shared_ptr<WorkerLink> link;  // null while not connected to this instance
  std::string instance;              // to which it is connected, as its row says
  std::int64_t connection = 0;       // as its row says
  bool elsewhere = false;            // it is connected to another instance, which is alive
  std::int64_t beats = 0;            // as its row says
  SteadyTime last_beat{};            // when its life was heard of
  SteadyTime disconnected_at{};
  std::map<std::string, std::int64_t> running;  // runs it owns, with their epochs; while it is connected here
  std::int64_t reserved = 0;                    // slots promised to commits in flight
  std::int64_t described = 0;                   // the connection that the rest was told with
  bool doubted = false;        // what it owns, and whether it was told all of it, is to be looked at
  int writing = 0;             // commits under way that change its row
  std::uint64_t turnover = 0;  // counts what it was given and what it lost
  std::uint64_t changed = 0;   // when something was changed here that its row may not show yet
  std::vector<bus::Subscription> subscriptions;  // to what other instances have to tell it

  bool connected() const { return link != nullptr || elsewhere; }
  std::int64_t free_slots() const;
  const RegisteredGraph* graph(std::string_view graph_id) const;
};

// Called when a session is over: its leases are to be taken away. Returns when that is durable; on an
// error it is called again.
using SessionOver = std::function<Task<Status>(std::string session, std::string reason)>;

// Adds a lease of the session's, for a session that is still connected as this instance knows it: where it
// has moved the commit is a conflict.
void give_lease(store::Commit& commit, const WorkerSession& session, store::Lease lease);
// The lease of a run that the session executes.
store::Lease lease_of(const domain::Run& run, const WorkerSession& session);

// Whether the run is being executed under that lease.
bool is_of(const domain::Run& run, const store::Lease& lease);

// unavailable: the graph cannot be imported, as `error` of its registration says (JSON). The message names
// the file and line; the one entry of `fields` is that place with the traceback.
Error import_error(const std::string& graph_id, const std::string& error);

class Workers {
 public:
  Workers(Context& context, const Leadership& leadership);

  // Called with the graphs of each worker that connects, before it is answered.
  using GraphsSeen = std::function<Task<void>(std::vector<RegisteredGraph>)>;
  void on_graphs(GraphsSeen seen) { graphs_seen_ = std::move(seen); }

  // Reads the sessions and leases that are there; each is observed anew from now on.
  Task<Status> load();
  // Watches over liveness until the process ends. `over` is called for each session that ends by what this
  // instance heard, or, as the leader, by what it has not heard.
  Task<void> watch(SessionOver over);
  // Counts the time without a heartbeat or a connection from now on: of what was before, another leader knew.
  void observe_anew();
  // Leases of sessions that are not there any more are taken away, whoever left them.
  Task<Status> end_orphans();

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
  // Whether a commit that took something for the session happened is not known, or the bus may have lost
  // something: what it owns is looked at until it is clear.
  void doubt(const std::string& session);
  // A commit found that the session is not where this instance believes it to be: looks at it. False when the
  // database failed.
  Task<bool> check(std::string session);
  void set_slots(const std::string& session, std::int64_t slots, bool draining);

  // A connected session with a free slot for the graph, the least busy one; its slot is reserved
  // until `release` or `own`.
  std::shared_ptr<WorkerSession> reserve(const std::string& graph_id);
  void release(const std::shared_ptr<WorkerSession>& session);
  void own(const std::shared_ptr<WorkerSession>& session, const domain::Run& run);
  void disown(const std::string& session, const std::string& run_id);

  // Of sessions that are connected here: graphs with a free slot, and how many slots are free.
  std::vector<std::string> graphs_with_free_slots() const;
  std::int64_t free_slots() const;
  std::int64_t slots() const;  // busy ones among them
  std::size_t connected() const;
  std::size_t requests() const { return requests_.size(); }

  std::shared_ptr<WorkerSession> session(std::string_view id) const;
  std::vector<std::shared_ptr<WorkerSession>> sessions() const;
  // The session that owns the run or operation is told, wherever it is connected; dropped when it is not.
  void send(const std::string& session, ToWorker message);

  // Asks a worker that serves the graph, waiting for one until the deadline, and another one where it goes
  // away: for what changes nothing. unavailable: there is none, or the graph's import failed everywhere; the
  // reason is in the message.
  Task<Result<std::string>> request(std::string graph_id, std::string method, std::string params,
                                    SteadyTime deadline);
  // Asks that worker, once. unavailable: it was not told; timeout: it did not answer or went away, and may
  // have done it.
  Task<Result<std::string>> request_of(std::shared_ptr<WorkerSession> session, std::string method,
                                       std::string params, SteadyTime deadline);
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
  // The same; before it says that there is none, it asks the store what other instances know.
  Task<std::optional<KnownGraph>> look_up(std::string graph_id);
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
  using Gone = std::map<std::string, std::string>;  // session -> reason

  // --- sessions ---
  Task<Result<Welcome>> try_hello(Hello hello, std::shared_ptr<WorkerLink> link);
  // conflict when the session has got another connection meanwhile.
  Task<Status> remember(WorkerSession& session, std::int64_t last_connection, bool graphs_changed);
  Task<Result<Welcome>> welcome(const std::shared_ptr<WorkerSession>& session, const Hello& hello);
  Task<void> remember_slots(std::shared_ptr<WorkerSession> session);
  Task<void> remember_disconnect(std::string session, std::int64_t connection);
  void cut(WorkerSession& session, std::uint16_t code, const std::string& reason);
  void listen(const std::shared_ptr<WorkerSession>& session);
  // Something that others see was committed.
  void tell_others();
  void note_change();

  // --- liveness (worker_liveness.cpp) ---
  std::optional<std::string> expired(const WorkerSession& session) const;
  // Whether what is known of the session here is newer than what was read.
  static bool is_newer(const WorkerSession& session, std::uint64_t as_of);
  // Brings what is known of sessions and graphs up to date with the store.
  Task<Status> refresh();
  void see(const store::Session& row, std::uint64_t as_of);
  void see_gone(const std::set<std::string, std::less<>>& there, std::uint64_t as_of);
  Gone find_gone(SteadyTime& next) const;
  Task<void> end(std::string id, std::string reason);
  Task<bool> try_end(std::string id, std::string reason);
  Task<Status> mark_over(std::shared_ptr<WorkerSession> session, std::string id, std::string reason);
  Task<Status> settle_doubts();
  Task<Status> settle(std::shared_ptr<WorkerSession> session, std::vector<store::Lease> leases,
                      std::map<std::string, std::int64_t> running);
  Task<void> look_at(std::string session, std::string owner);
  Task<void> beat_for_others();

  // --- questions (worker_requests.cpp) ---
  void fail_requests(const std::string& session, const std::string& reason);
  Task<Result<std::string>> ask(std::shared_ptr<WorkerSession> session, std::string method,
                                std::string params, SteadyTime deadline, bool& lost);
  Task<void> answer_other(std::string session, Question question);

  bool exists(const store::GraphRow& row) const;

  Context& context_;
  const Leadership& leadership_;
  GraphsSeen graphs_seen_;
  std::map<std::string, std::shared_ptr<WorkerSession>, std::less<>> sessions_;
  std::map<std::string, store::GraphRow, std::less<>> known_;  // also those that exist no more
  std::optional<std::set<std::string, std::less<>>> named_;    // by langgraph.json now
  std::map<std::string, std::string, std::less<>> ended_;      // session -> reason, to be taken away
  std::set<std::string, std::less<>> ending_;                  // of which that is under way
  SessionOver over_;
  std::uint64_t observed_term_ = 0;           // of its leadership, in which everything was observed anew
  std::set<std::string, std::less<>> heard_;  // beats that others do not know of yet
  std::map<std::int64_t, PendingRequest> requests_;
  std::int64_t last_request_ = 0;
  Signal changed_;             // somebody connected, or something ended
  std::uint64_t changes_ = 0;  // counts its notifications
  std::uint64_t moment_ = 0;   // counts what is changed here and what is read, to tell which came first
  bool told_ = true;           // others may have changed sessions or graphs
  std::vector<bus::Subscription> subscriptions_;
};

}  // namespace dg::app
