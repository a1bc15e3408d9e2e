#include "app/workers.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/log.hpp"

namespace dg::app {
namespace {

// Of one worker, whatever it says; sums of them stay far from overflowing.
constexpr std::int64_t max_slots = 1'000'000;

}  // namespace

std::int64_t WorkerSession::free_slots() const {
  if (!link || draining) return 0;
  return std::max<std::int64_t>(0, slots - reserved - static_cast<std::int64_t>(running.size()));
}

const RegisteredGraph* WorkerSession::graph(std::string_view graph_id) const {
  const auto found = std::ranges::find(graphs, graph_id, &RegisteredGraph::graph_id);
  return found == graphs.end() ? nullptr : &*found;
}

Workers::Workers(Context& context) : context_(context), changed_(context.env.timers) {}

Task<Status> Workers::load() {
  const auto graphs = co_await context_.store.graphs();
  if (!graphs) co_return fail(graphs.error());
  for (const auto& row : *graphs) known_[row.graph_id] = row;

  const auto sessions = co_await context_.store.sessions();
  if (!sessions) co_return fail(sessions.error());
  const auto leases = co_await context_.store.leases();
  if (!leases) co_return fail(leases.error());
  const auto now = context_.env.timers.now();
  for (const auto& row : *sessions) {
    auto session = std::make_shared<WorkerSession>();
    session->id = row.id;
    session->secret_hash = row.secret_hash;
    session->worker = row.worker;
    session->name = json::View(row.worker)["name"].string();
    session->revision = row.revision;
    session->slots = row.slots;
    session->supervised = row.supervised;
    session->connected_at = row.connected_at;
    session->last_beat = session->disconnected_at = now;
    for (const auto& lease : *leases)
      if (lease.session_id == row.id && lease.kind == store::LeaseKind::run)
        session->running.insert(lease.owner);
    sessions_[row.id] = std::move(session);
  }
  // A lease without a session cannot be renewed by anybody.
  for (const auto& lease : *leases)
    if (!sessions_.contains(lease.session_id)) ended_[lease.session_id] = "its session is unknown";
  co_return Status{};
}

std::optional<std::string> Workers::expired(const WorkerSession& session) const {
  const auto now = context_.env.timers.now();
  if (const auto found = ended_.find(session.id); found != ended_.end()) return found->second;
  if (!session.link && now - session.disconnected_at >= context_.settings.reconnect_grace)
    return "the connection of its worker closed and did not come back";
  if (now - session.last_beat >= context_.settings.lease) return "its worker's heartbeat stopped";
  return std::nullopt;
}

Task<void> Workers::watch(SessionOver over) {
  while (true) {
    std::map<std::string, std::string> gone(ended_.begin(), ended_.end());
    auto next = SteadyTime::max();
    for (const auto& [id, session] : sessions_) {
      if (const auto reason = expired(*session)) {
        gone[id] = *reason;
        continue;
      }
      next = std::min(next, session->last_beat + context_.settings.lease);
      if (!session->link) next = std::min(next, session->disconnected_at + context_.settings.reconnect_grace);
    }
    bool failed = false;
    for (const auto& [id, reason] : gone) {
      if (const auto found = sessions_.find(id); found != sessions_.end()) {
        const auto session = found->second;
        sessions_.erase(found);
        log::info("worker {} is gone: {}", session->name, reason);
        if (session->link) session->link->close(4409, reason);
        session->link = nullptr;
      }
      fail_requests(id, reason);
      again_.erase(id);
      if (const auto taken = co_await over(id, reason); !taken) {
        log::error("the session {} could not be ended: {}", id, taken.error().message);
        ended_[id] = reason;
        failed = true;
        continue;
      }
      store::Commit commit;
      commit.changes.emplace_back(store::EraseSession{id});
      if (const auto done = co_await context_.store.commit(std::move(commit)); !done)
        log::error("a session's row could not be deleted: {}", done.error().message);
      if (!again_.contains(id)) ended_.erase(id);
    }
    if (failed) {
      co_await sleep_for(context_.env.timers, retry_pause);
    } else if (gone.empty()) {
      co_await changed_.wait_until(next);
    }
  }
}

Task<Status> Workers::remember(const WorkerSession& session, bool graphs_changed) {
  store::Commit commit;
  json::Writer graphs;
  graphs.begin_array();
  for (const auto& graph : session.graphs) {
    graphs.begin_object().key("graph_id").string(graph.graph_id).key("description").string(graph.description);
    graphs.key("error").raw(graph.error).end_object();
    auto& known = known_[graph.graph_id];
    const bool same = known.graph_id == graph.graph_id && known.error == graph.error;
    if (!graphs_changed || same) continue;
    known = {graph.graph_id, graph.description, graph.error, context_.env.clock.now(), known.declared};
    commit.changes.emplace_back(store::PutGraph{known});
  }
  graphs.end_array();
  commit.changes.emplace_back(
      store::PutSession{{session.id, session.secret_hash, session.worker, session.revision, session.slots,
                         session.supervised, graphs.take(), session.connected_at}});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return Status{};
}

Task<Result<Workers::Welcome>> Workers::hello(Hello hello, std::shared_ptr<WorkerLink> link) {
  const std::string hash = sha256_hex(hello.secret);
  auto found = sessions_.find(hello.session);
  if (ended_.contains(hello.session)) co_return fail(Errc::superseded, "the session has ended");
  if (found == sessions_.end() && !hello.owned.empty())
    co_return fail(Errc::superseded, "the session has expired; its runs belong to others now");
  if (found != sessions_.end() && !equal_secrets(found->second->secret_hash, hash))
    co_return fail(Errc::forbidden, "the session exists and this is not its secret");

  auto session = found == sessions_.end() ? std::make_shared<WorkerSession>() : found->second;
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
  if (session->link && session->link != link)
    session->link->close(1001, "the session has a newer connection");
  session->link = nullptr;  // not to be offered runs before the answer is complete
  sessions_[session->id] = session;
  if (auto done = co_await remember(*session, true); !done) co_return fail(done.error());
  if (graphs_seen_) co_await graphs_seen_(session->graphs);

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
    session->running.insert(lease.owner);
    if (std::ranges::find(hello.owned, lease.owner, &OwnedSaid::owner) != hello.owned.end()) continue;
    auto run = co_await context_.store.run(lease.owner);
    if (!run) co_return fail(run.error());  // the worker asks again; without an offer it would wait for ever
    if (*run) welcome.offers.push_back({std::move(**run)});
  }
  if (!sessions_.contains(session->id)) co_return fail(Errc::superseded, "the session has ended");
  session->link = std::move(link);
  changed_.notify_all();
  for (const auto& graph : session->graphs) context_.bus.publish(bus::Topic::queue, graph.graph_id);
  co_return welcome;
}

void Workers::disconnected(const std::string& id, const WorkerLink* link, bool clean) {
  const auto session = this->session(id);
  if (!session || session->link.get() != link) return;
  session->link = nullptr;
  session->disconnected_at = context_.env.timers.now();
  if (clean) ended_[id] = "its worker ended";
  fail_requests(id, "the worker's connection closed");
  changed_.notify_all();
}

void Workers::beat(const std::string& id) {
  if (const auto session = this->session(id)) session->last_beat = context_.env.timers.now();
}

void Workers::ended(const std::string& id, std::string reason) {
  if (!sessions_.contains(id)) return;
  ended_[id] = std::move(reason);
  changed_.notify_all();
}

void Workers::take_away(const std::string& id, std::string reason) {
  ended_[id] = std::move(reason);
  again_.insert(id);
  changed_.notify_all();
}

void Workers::set_slots(const std::string& id, std::int64_t slots, bool draining) {
  const auto session = this->session(id);
  if (!session) return;
  session->slots = std::clamp<std::int64_t>(slots, 0, max_slots);
  session->draining = draining;
  context_.bus.publish(bus::Topic::queue, "");
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

void Workers::own(const std::shared_ptr<WorkerSession>& session, const std::string& run_id) {
  --session->reserved;
  session->running.insert(run_id);
}

void Workers::disown(const std::string& id, const std::string& run_id) {
  const auto session = this->session(id);
  if (!session || session->running.erase(run_id) == 0) return;
  context_.bus.publish(bus::Topic::queue, "");
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
  if (session && session->link) session->link->send(std::move(message));
}

}  // namespace dg::app
