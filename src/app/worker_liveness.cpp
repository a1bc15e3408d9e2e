// Which sessions live, here and at other instances, and what each of them owns.
#include <algorithm>

#include "app/workers.hpp"
#include "base/json.hpp"
#include "base/log.hpp"

namespace dg::app {
namespace {

// How often a leader looks at sessions of other instances, which may die without a word.
constexpr Duration look_pause = std::chrono::seconds(1);

std::vector<RegisteredGraph> read_graphs(const std::string& text) {
  std::vector<RegisteredGraph> graphs;
  for (const auto graph : json::View(text).elements())
    graphs.push_back(
        {graph["graph_id"].string(), graph["description"].string(), std::string(graph["error"].raw())});
  return graphs;
}

}  // namespace

// --- what the store says -----------------------------------------------------------------------

Task<Status> Workers::refresh() {
  const auto as_of = ++moment_;
  if (std::exchange(told_, false) || known_.empty()) {
    const auto graphs = co_await context_.store.graphs();
    if (!graphs) {
      told_ = true;
      co_return fail(graphs.error());
    }
    for (const auto& row : *graphs) known_[row.graph_id] = row;
  }
  const auto rows = co_await context_.store.sessions();
  if (!rows) co_return fail(rows.error());
  std::set<std::string, std::less<>> there;
  for (const auto& row : *rows) {
    there.insert(row.id);
    see(row, as_of);
  }
  see_gone(there, as_of);
  co_return Status{};
}

bool Workers::is_newer(const WorkerSession& session, std::uint64_t as_of) {
  return session.writing > 0 || session.changed >= as_of;
}

void Workers::see(const store::Session& row, std::uint64_t as_of) {
  const auto now = context_.env.timers.now();
  auto& entry = sessions_[row.id];
  if (!entry) {
    entry = std::make_shared<WorkerSession>();
    entry->id = row.id;
    entry->last_beat = entry->disconnected_at = now;
    entry->beats = row.beats;
  }
  auto& session = *entry;
  if (is_newer(session, as_of)) return;
  if (session.beats != row.beats) session.last_beat = now;
  session.beats = row.beats;
  const bool moved = session.connection != row.connection || session.instance != row.instance;
  if (moved && session.link) cut(session, 1001, "the session has a newer connection");
  if (moved) {
    fail_requests(row.id, "the worker's connection closed");
    session.running.clear();
    session.disconnected_at = now;
  }
  if (!row.ended.empty()) {
    if (session.link) cut(session, 4409, row.ended);
    // Whoever began to end it goes on, unless it died: the leader ends it again.
    if (leadership_.leads()) ended_.try_emplace(row.id, row.ended);
  }
  if (session.link) return;  // what is known here is newer
  const bool elsewhere =
      row.ended.empty() && !row.instance.empty() && row.instance != context_.instance && row.instance_alive;
  if (session.elsewhere && !elsewhere) {
    session.disconnected_at = now;
    fail_requests(row.id, "the worker's connection closed");
  }
  if (elsewhere && !session.elsewhere) note_change();
  session.elsewhere = elsewhere;
  session.instance = row.instance;
  session.connection = row.connection;
  session.slots = row.slots;
  session.draining = row.draining;
  if (session.described == row.connection) return;
  session.described = row.connection;
  session.secret_hash = row.secret_hash;
  session.worker = row.worker;
  session.name = json::View(row.worker)["name"].string();
  session.revision = row.revision;
  session.supervised = row.supervised;
  session.connected_at = row.connected_at;
  session.graphs = read_graphs(row.graphs);
}

void Workers::see_gone(const std::set<std::string, std::less<>>& there, std::uint64_t as_of) {
  std::erase_if(sessions_, [&](const auto& entry) {
    auto& session = *entry.second;
    if (there.contains(entry.first) || is_newer(session, as_of)) return false;
    cut(session, 4409, "the session has ended");
    fail_requests(entry.first, "the worker's session has ended");
    return true;
  });
}

Task<bool> Workers::check(std::string id) {
  const auto as_of = ++moment_;
  const auto row = co_await context_.store.session(id);
  if (!row) co_return false;
  if (!sessions_.contains(id)) co_return true;
  if (*row) {
    see(**row, as_of);
  } else if (const auto session = this->session(id); !is_newer(*session, as_of)) {
    cut(*session, 4409, "the session has ended");
    sessions_.erase(id);
  }
  co_return true;
}

// --- who is gone -------------------------------------------------------------------------------

void Workers::observe_anew() {
  observed_term_ = leadership_.term();
  const auto now = context_.env.timers.now();
  for (const auto& [id, session] : sessions_) session->last_beat = session->disconnected_at = now;
  told_ = true;
  note_change();
}

std::optional<std::string> Workers::expired(const WorkerSession& session) const {
  const auto now = context_.env.timers.now();
  // What was observed before its term says nothing: it may have been cut off.
  if (!leadership_.leads() || observed_term_ != leadership_.term()) return std::nullopt;
  if (!session.connected() && now - session.disconnected_at >= context_.settings.reconnect_grace)
    return "the connection of its worker closed and did not come back";
  if (now - session.last_beat >= context_.settings.lease) return "its worker's heartbeat stopped";
  return std::nullopt;
}

Workers::Gone Workers::find_gone(SteadyTime& next) const {
  Gone gone;
  for (const auto& [id, reason] : ended_)
    if (!ending_.contains(id)) gone[id] = reason;
  for (const auto& [id, session] : sessions_) {
    if (gone.contains(id) || ending_.contains(id)) continue;
    if (const auto reason = expired(*session)) {
      gone[id] = *reason;
      continue;
    }
    if (!leadership_.leads()) continue;
    next = std::min(next, session->last_beat + context_.settings.lease);
    if (!session->connected())
      next = std::min(next, session->disconnected_at + context_.settings.reconnect_grace);
  }
  return gone;
}

Task<void> Workers::watch(SessionOver over) {
  const bool others = context_.bus.reaches_others();
  over_ = std::move(over);
  if (others) spawn(context_.env.timers.executor(), "beats", beat_for_others());
  while (true) {
    const auto seen = changes_;
    bool failed = false;
    if (leadership_.leads() && observed_term_ != leadership_.term()) observe_anew();
    if (others) {
      const auto known = co_await refresh();
      if (!known) log::error("the sessions of workers could not be read: {}", known.error().message);
      failed = !known;
    }
    if (const auto settled = co_await settle_doubts(); !settled) failed = true;
    auto next = SteadyTime::max();
    const bool doubts = std::ranges::any_of(sessions_, [](const auto& e) { return e.second->doubted; });
    if (others || doubts)
      next = context_.env.timers.now() +
             (leadership_.leads() || doubts ? look_pause : context_.settings.safety_net);
    const auto gone = find_gone(next);
    for (const auto& [id, reason] : gone) {
      ending_.insert(id);
      spawn(context_.env.timers.executor(), "end of a session", end(id, reason));
    }
    if (failed) {
      co_await sleep_for(context_.env.timers, retry_pause);
    } else if (changes_ == seen) {
      co_await changed_.wait_until(next);
    }
  }
}

Task<void> Workers::end(std::string id, std::string reason) {
  if (!co_await try_end(id, std::move(reason))) co_await sleep_for(context_.env.timers, retry_pause);
  ending_.erase(id);
  note_change();
}

// False when it is to be tried again.
Task<bool> Workers::try_end(std::string id, std::string reason) {
  const auto session = this->session(id);
  const bool said = ended_.contains(id);
  if (const auto marked = co_await mark_over(session, id, reason); !marked) {
    // It came back at the last moment, or is not what it was believed to be.
    if (marked.error().code == Errc::conflict) co_return co_await check(id);
    log::error("the session {} could not be ended: {}", id, marked.error().message);
    co_return false;
  }
  ended_[id] = reason;  // nobody may come back to it
  if (session) {
    log::info("worker {} is gone: {}", session->name, reason);
    cut(*session, 4409, reason);
    sessions_.erase(id);
  } else if (!said) {
    log::info("the session {} is gone: {}", id, reason);
  }
  tell_others();
  fail_requests(id, reason);
  if (const auto taken = co_await over_(id, reason); !taken) {
    log::error("the session {} could not be ended: {}", id, taken.error().message);
    co_return false;
  }
  store::Commit commit;
  commit.changes.emplace_back(store::EraseSession{id});
  if (const auto done = co_await context_.store.commit(std::move(commit)); !done)
    log::error("a session's row could not be deleted: {}", done.error().message);
  ended_.erase(id);
  co_return true;
}

// From then on nothing is given to the session. conflict: it is not as it was seen when it expired.
Task<Status> Workers::mark_over(std::shared_ptr<WorkerSession> session, std::string id, std::string reason) {
  store::Commit commit;
  if (session && !ended_.contains(id)) {
    const auto beats = context_.bus.reaches_others() ? std::optional(session->beats) : std::nullopt;
    commit.conditions.emplace_back(store::SessionAt{id, session->connection, beats});
  }
  commit.changes.emplace_back(store::EndSession{id, reason});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return Status{};
}

Task<Status> Workers::end_orphans() {
  const auto leases = co_await context_.store.leases();
  if (!leases) co_return fail(leases.error());
  // Read after the leases, whose sessions are there for longer.
  const auto sessions = co_await context_.store.sessions();
  if (!sessions) co_return fail(sessions.error());
  std::set<std::string, std::less<>> there;
  for (const auto& session : *sessions) there.insert(session.id);
  for (const auto& lease : *leases)
    if (!there.contains(lease.session_id)) ended_.try_emplace(lease.session_id, "its session is unknown");
  note_change();
  co_return Status{};
}

Task<void> Workers::beat_for_others() {
  while (true) {
    co_await sleep_for(context_.env.timers, context_.settings.heartbeat / 2);
    const auto heard = std::exchange(heard_, {});
    if (heard.empty()) continue;
    const auto counted = co_await context_.store.beat({heard.begin(), heard.end()});
    if (!counted) log::warn("heartbeats of workers could not be counted: {}", counted.error().message);
  }
}

// --- what a session owns -----------------------------------------------------------------------

Task<Status> Workers::settle_doubts() {
  std::vector<std::pair<std::shared_ptr<WorkerSession>, std::map<std::string, std::int64_t>>> doubted;
  for (const auto& [id, session] : sessions_) {
    // A commit that is under way may have taken a lease that is not known here yet.
    if (!session->doubted || !session->link || session->reserved > 0) continue;
    doubted.emplace_back(session, session->running);
  }
  if (doubted.empty()) co_return Status{};
  const auto leases = co_await context_.store.leases();
  Status status = leases ? Status{} : fail(leases.error());
  for (auto& [session, running] : doubted)
    if (status) status = co_await settle(session, *leases, std::move(running));
  context_.bus.publish(bus::Topic::queue, "");  // their slots may be given away again
  if (!status) log::error("what workers own could not be read: {}", status.error().message);
  co_return status;
}

// `running` is what the session owned before the leases were read.
Task<Status> Workers::settle(std::shared_ptr<WorkerSession> session, std::vector<store::Lease> leases,
                             std::map<std::string, std::int64_t> running) {
  std::erase_if(leases, [&](const store::Lease& lease) {
    return lease.session_id != session->id || lease.kind != store::LeaseKind::run;
  });
  session->doubted = false;
  for (const auto& lease : leases) {
    running.erase(lease.owner);
    const auto turnover = session->turnover;
    const auto run = co_await context_.store.run(lease.owner);
    if (!run) session->doubted = true;
    if (!run) co_return fail(run.error());
    if (!*run || !is_of(**run, lease) || !session->link) continue;
    if (!session->running.contains(lease.owner)) {
      // It may have ended, or been given out, between the reading and now: that is looked at again.
      if (session->turnover != turnover || session->reserved > 0) {
        session->doubted = true;
        continue;
      }
      session->running[lease.owner] = lease.epoch;
      session->link->send(LeaseOffer{**run});
    }
    if ((*run)->cancel != domain::CancelAction::none)
      session->link->send(CancelOrder{lease.owner, lease.epoch, (*run)->cancel});
  }
  for (const auto& [owner, epoch] : running) {
    if (session->running.erase(owner) == 0) continue;
    context_.bus.publish(bus::Topic::queue, "");
    if (session->link) session->link->send(Superseded{owner, epoch, "the run has another owner or is over"});
  }
  co_return Status{};
}

// Another instance changed something about a run that the session owns, or owned.
Task<void> Workers::look_at(std::string id, std::string owner) {
  const auto session = this->session(id);
  if (!session || !session->link) co_return;
  const auto found = session->running.find(owner);
  const auto epoch = found == session->running.end() ? std::int64_t{0} : found->second;
  const auto lease = co_await context_.store.lease(owner);
  const auto run = co_await context_.store.run(owner);
  if (!lease || !run) co_return doubt(id);
  if (!session->link) co_return;
  const bool owned = *lease && (*lease)->session_id == id;
  if (owned && *run && (*run)->cancel != domain::CancelAction::none)
    session->link->send(CancelOrder{owner, (*lease)->epoch, (*run)->cancel});
  if (owned || epoch == 0) co_return;
  if (session->running.erase(owner) > 0) context_.bus.publish(bus::Topic::queue, "");
  session->link->send(Superseded{owner, epoch, "the run has another owner or is over"});
}

}  // namespace dg::app
