#include "app/workers.hpp"

#include <algorithm>
#include <utility>

#include "app/changes.hpp"
#include "base/json.hpp"
#include "base/log.hpp"

namespace dg::app {
namespace {

// Of one worker, whatever it says; sums of them stay far from overflowing.
constexpr std::int64_t max_slots = 1'000'000;

}  // namespace

void give_lease(store::Commit& commit, const WorkerSession& session, store::Lease lease) {
  commit.conditions.emplace_back(store::SessionAt{session.id, session.connection});
  commit.changes.emplace_back(store::PutLease{std::move(lease)});
}

store::Lease lease_of(const domain::Run& run, const WorkerSession& session) {
  return {run.id, store::LeaseKind::run, run.thread_id, run.epoch, session.id, 0};
}

bool is_of(const domain::Run& run, const store::Lease& lease) {
  return run.state == domain::RunState::in_progress && run.epoch == lease.epoch &&
         run.session_id == lease.session_id;
}

std::int64_t WorkerSession::free_slots() const {
  if (!link || draining || doubted) return 0;
  return std::max<std::int64_t>(0, slots - reserved - static_cast<std::int64_t>(running.size()));
}

const RegisteredGraph* WorkerSession::graph(std::string_view graph_id) const {
  const auto found = std::ranges::find(graphs, graph_id, &RegisteredGraph::graph_id);
  return found == graphs.end() ? nullptr : &*found;
}

Workers::Workers(Context& context, const Leadership& leadership)
    : context_(context), leadership_(leadership), changed_(context.env.timers) {
  if (!context_.bus.reaches_others()) return;
  subscriptions_.push_back(
      context_.bus.subscribe(bus::Topic::sessions, "", [this](const std::string&, const std::string&) {
        told_ = true;
        note_change();
      }));
  subscriptions_.push_back(context_.bus.subscribe(
      bus::Topic::reply, context_.instance, [this](const std::string&, const std::string& body) {
        auto reply = read_reply(body);
        if (!reply) return;
        if (const auto found = requests_.find(reply->id); found != requests_.end())
          found->second.lost = reply->lost;
        replied(reply->id, std::move(reply->result));
      }));
}

void Workers::note_change() {
  ++changes_;
  changed_.notify_all();
}

void Workers::tell_others() {
  if (context_.bus.reaches_others()) context_.bus.publish(bus::Topic::sessions, "");
}

Task<Status> Workers::load() {
  if (auto known = co_await refresh(); !known) co_return known;
  const auto leases = co_await context_.store.leases();
  if (!leases) co_return fail(leases.error());
  if (context_.bus.reaches_others()) co_return Status{};
  // A lease without a session cannot be renewed by anybody.
  for (const auto& lease : *leases)
    if (!sessions_.contains(lease.session_id)) ended_[lease.session_id] = "its session is unknown";
  co_return Status{};
}

Task<Status> Workers::remember(WorkerSession& session, std::int64_t last_connection, bool graphs_changed) {
  store::Commit commit;
  commit.conditions.emplace_back(store::SessionAt{session.id, last_connection});
  std::vector<store::GraphRow> changed;
  json::Writer graphs;
  graphs.begin_array();
  for (const auto& graph : session.graphs) {
    graphs.begin_object().key("graph_id").string(graph.graph_id).key("description").string(graph.description);
    graphs.key("error").raw(graph.error).end_object();
    const auto known = known_.find(graph.graph_id);
    const bool same = known != known_.end() && known->second.error == graph.error;
    if (!graphs_changed || same) continue;
    const bool declared = known != known_.end() && known->second.declared;
    changed.push_back({graph.graph_id, graph.description, graph.error, context_.env.clock.now(), declared});
    commit.changes.emplace_back(store::PutGraph{changed.back()});
  }
  graphs.end_array();
  store::Session row{session.id,       session.secret_hash, session.worker,     session.revision,
                     session.slots,    session.supervised,  graphs.take(),      session.connected_at,
                     session.draining, context_.instance,   session.connection, ""};
  commit.changes.emplace_back(store::PutSession{std::move(row)});
  ++session.writing;
  const auto done = co_await context_.store.commit(std::move(commit));
  --session.writing;
  session.changed = ++moment_;
  if (!done) co_return fail(done.error());
  for (auto& graph : changed) known_[graph.graph_id] = std::move(graph);
  tell_others();
  co_return Status{};
}

Task<Result<Workers::Welcome>> Workers::hello(Hello hello, std::shared_ptr<WorkerLink> link) {
  co_return co_await until_decided([&] { return try_hello(hello, link); });
}

Task<Result<Workers::Welcome>> Workers::try_hello(Hello hello, std::shared_ptr<WorkerLink> link) {
  const std::string hash = sha256_hex(hello.secret);
  const auto row = co_await context_.store.session(hello.session);
  if (!row) co_return fail(row.error());
  if (ended_.contains(hello.session) || (*row && !(*row)->ended.empty()))
    co_return fail(Errc::superseded, "the session has ended");
  if (!*row && !hello.owned.empty())
    co_return fail(Errc::superseded, "the session has expired; its runs belong to others now");
  if (*row && !equal_secrets((*row)->secret_hash, hash))
    co_return fail(Errc::forbidden, "the session exists and this is not its secret");

  const auto found = sessions_.find(hello.session);
  auto session = found == sessions_.end() ? std::make_shared<WorkerSession>() : found->second;
  if (session->instance != context_.instance) session->running.clear();
  const std::int64_t last_connection = *row ? (*row)->connection : 0;
  session->id = hello.session;
  session->secret_hash = hash;
  session->worker = hello.worker;
  session->name = hello.name;
  session->revision = hello.revision;
  session->slots = std::clamp<std::int64_t>(hello.slots, 0, max_slots);
  session->supervised = hello.supervised;
  session->draining = hello.draining;
  session->graphs = hello.graphs;
  session->connected_at = context_.env.clock.now();
  session->last_beat = session->disconnected_at = context_.env.timers.now();
  session->instance = context_.instance;
  session->connection = session->described = last_connection + 1;
  session->elsewhere = false;
  session->beats = *row ? (*row)->beats : 0;
  // The link is not set: no runs are offered before the answer is complete.
  if (session->link != link) cut(*session, 1001, "the session has a newer connection");
  session->link = nullptr;
  sessions_[session->id] = session;
  if (auto done = co_await remember(*session, last_connection, true); !done) co_return fail(done.error());
  if (graphs_seen_) co_await graphs_seen_(session->graphs);
  auto answer = co_await welcome(session, hello);
  if (!answer) co_return answer;
  if (!sessions_.contains(session->id)) co_return fail(Errc::superseded, "the session has ended");
  if (this->session(session->id) != session || session->connection != last_connection + 1)
    co_return fail(Errc::unavailable, "the session has a newer connection");
  session->link = std::move(link);
  listen(session);
  note_change();
  for (const auto& graph : session->graphs) context_.bus.publish(bus::Topic::queue, graph.graph_id);
  co_return answer;
}

Task<Result<Workers::Welcome>> Workers::welcome(const std::shared_ptr<WorkerSession>& session,
                                                const Hello& hello) {
  const auto leases = co_await context_.store.leases();
  if (!leases) co_return fail(leases.error());
  Welcome welcome;
  for (const auto& owned : hello.owned) {
    OwnedAnswer answer{owned.owner, owned.epoch, 0, OwnedAnswer::State::superseded,
                       domain::CancelAction::none};
    const auto lease = std::ranges::find(*leases, owned.owner, &store::Lease::owner);
    if (lease != leases->end() && lease->epoch == owned.epoch && lease->session_id == session->id) {
      answer.applied_n = lease->applied_n;
      answer.state = OwnedAnswer::State::live;
      const auto run = co_await context_.store.run(owned.owner);
      if (!run) co_return fail(run.error());
      if (*run && (*run)->cancel != domain::CancelAction::none) {
        answer.state = OwnedAnswer::State::cancel;
        answer.action = (*run)->cancel;
      }
    }
    welcome.owned.push_back(answer);
  }
  for (const auto& lease : *leases) {
    if (lease.session_id != session->id || lease.kind != store::LeaseKind::run) continue;
    if (std::ranges::find(hello.owned, lease.owner, &OwnedSaid::owner) == hello.owned.end()) {
      auto run = co_await context_.store.run(lease.owner);
      if (!run)
        co_return fail(run.error());  // the worker asks again; without an offer it would wait for ever
      if (!*run || !is_of(**run, lease)) continue;  // it has ended since the leases were read
      welcome.offers.push_back({std::move(**run)});
    }
    session->running[lease.owner] = lease.epoch;
  }
  co_return welcome;
}

void Workers::listen(const std::shared_ptr<WorkerSession>& session) {
  if (!context_.bus.reaches_others()) return;
  session->subscriptions.clear();
  session->subscriptions.push_back(context_.bus.subscribe(
      bus::Topic::owner, session->id, [this](const std::string& id, const std::string& owner) {
        if (owner.empty()) return doubt(id);
        spawn(context_.env.timers.executor(), "look at an owner", look_at(id, owner));
      }));
  session->subscriptions.push_back(context_.bus.subscribe(
      bus::Topic::request, session->id, [this](const std::string& id, const std::string& body) {
        auto question = read_question(body);
        if (question)
          spawn(context_.env.timers.executor(), "question", answer_other(id, std::move(*question)));
      }));
}

void Workers::cut(WorkerSession& session, std::uint16_t code, const std::string& reason) {
  session.subscriptions.clear();
  if (const auto link = std::exchange(session.link, nullptr)) link->close(code, reason);
}

void Workers::disconnected(const std::string& id, const WorkerLink* link, bool clean) {
  const auto session = this->session(id);
  if (!session || session->link.get() != link) return;
  session->link = nullptr;
  session->subscriptions.clear();
  session->disconnected_at = context_.env.timers.now();
  session->changed = ++moment_;
  if (clean) ended_[id] = "its worker ended";
  fail_requests(id, "the worker's connection closed");
  if (!clean && context_.bus.reaches_others())
    spawn(context_.env.timers.executor(), "disconnect", remember_disconnect(id, session->connection));
  note_change();
}

Task<void> Workers::remember_disconnect(std::string session, std::int64_t connection) {
  store::Commit commit;
  commit.conditions.emplace_back(store::SessionAt{session, connection});
  commit.changes.emplace_back(store::DisconnectSession{session});
  // Else it has got another connection, or the database is away: then its heartbeats end its session.
  if (co_await context_.store.commit(std::move(commit))) tell_others();
}

void Workers::beat(const std::string& id) {
  if (const auto session = this->session(id)) session->last_beat = context_.env.timers.now();
  if (context_.bus.reaches_others()) heard_.insert(id);
}

void Workers::ended(const std::string& id, std::string reason) {
  if (!sessions_.contains(id) && !context_.bus.reaches_others()) return;
  ended_[id] = std::move(reason);
  note_change();
}

void Workers::doubt(const std::string& id) {
  const auto session = this->session(id);
  if (!session) return;
  session->doubted = true;
  note_change();
}

void Workers::set_slots(const std::string& id, std::int64_t slots, bool draining) {
  const auto session = this->session(id);
  if (!session) return;
  session->slots = std::clamp<std::int64_t>(slots, 0, max_slots);
  session->draining = draining;
  session->changed = ++moment_;
  if (context_.bus.reaches_others()) spawn(context_.env.timers.executor(), "slots", remember_slots(session));
  context_.bus.publish(bus::Topic::queue, "");
}

Task<void> Workers::remember_slots(std::shared_ptr<WorkerSession> session) {
  // What fails is told with the next change, or when the worker connects anew.
  co_await remember(*session, session->connection, false);
}

std::shared_ptr<WorkerSession> Workers::reserve(const std::string& graph_id) {
  std::shared_ptr<WorkerSession> best;
  for (const auto& [id, session] : sessions_) {
    const auto* graph = session->graph(graph_id);
    if (graph == nullptr || graph->error != "null" || session->free_slots() == 0) continue;
    if (!best || session->free_slots() > best->free_slots()) best = session;
  }
  if (best) ++best->reserved;
  return best;
}

void Workers::release(const std::shared_ptr<WorkerSession>& session) {
  --session->reserved;
}

void Workers::own(const std::shared_ptr<WorkerSession>& session, const domain::Run& run) {
  --session->reserved;
  ++session->turnover;
  session->running[run.id] = run.epoch;
}

void Workers::disown(const std::string& id, const std::string& run_id) {
  const auto session = this->session(id);
  if (!session) return;
  ++session->turnover;
  if (session->running.erase(run_id) > 0) context_.bus.publish(bus::Topic::queue, "");
  // It may have moved while the end was on its way.
  if (!session->link) context_.bus.send(bus::Topic::owner, id, run_id);
}

std::vector<std::string> Workers::graphs_with_free_slots() const {
  std::set<std::string> graphs;
  for (const auto& [id, session] : sessions_) {
    if (session->free_slots() == 0) continue;
    for (const auto& graph : session->graphs)
      if (graph.error == "null") graphs.insert(graph.graph_id);
  }
  return {graphs.begin(), graphs.end()};
}

std::int64_t Workers::free_slots() const {
  std::int64_t free = 0;
  for (const auto& [id, session] : sessions_) free += session->free_slots();
  return free;
}

std::int64_t Workers::slots() const {
  std::int64_t slots = 0;
  for (const auto& [id, session] : sessions_) slots += session->link ? session->slots : 0;
  return slots;
}

std::size_t Workers::connected() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(sessions_, [](const auto& entry) { return entry.second->link != nullptr; }));
}

std::shared_ptr<WorkerSession> Workers::session(std::string_view id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<WorkerSession>> Workers::sessions() const {
  std::vector<std::shared_ptr<WorkerSession>> out;
  out.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) out.push_back(session);
  return out;
}

void Workers::send(const std::string& id, ToWorker message) {
  const auto session = this->session(id);
  if (session && session->link) return session->link->send(std::move(message));
  if (!context_.bus.reaches_others()) return;
  // The instance that it is connected to looks at the store and tells it the same.
  std::visit(
      [&](const auto& said) {
        if constexpr (requires { said.owner; }) context_.bus.send(bus::Topic::owner, id, said.owner);
      },
      message);
}

}  // namespace dg::app
