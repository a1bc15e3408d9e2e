#include "simulation/store/database.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace dg::simulation {
namespace {

constexpr Duration silence = seconds(3);        // after which the server ends a session with locks
constexpr Duration longest_claim = seconds(5);  // of a transaction in which nothing happens
constexpr Duration lock_answer_time = seconds(2);

}  // namespace

// --- the server ---------------------------------------------------------------------------------

void Database::land(Transaction& transaction) {
  if (transaction.state != Transaction::State::under_way) return;
  transaction.state = Transaction::State::committed;
  transaction.write();
  transaction.write = nullptr;
}

void Database::settle_all(DatabaseLink& link, bool landed) {
  for (const auto& [transaction, told] : link.under_way_) {
    if (transaction->state != Transaction::State::under_way) continue;
    if (landed) {
      land(*transaction);
    } else {
      transaction->state = Transaction::State::aborted;
      transaction->write = nullptr;
    }
  }
}

// All connections of the process are gone, and it learns of that.
void Database::lose(DatabaseLink& link, bool landed) {
  ++link.losses_;
  settle_all(link, landed);
  for (auto& [transaction, told] : std::exchange(link.under_way_, {})) {
    if (forgets) transaction->state = Transaction::State::aborted;
    link.tell_later([transaction, tell = std::move(told)] {
      transaction->told = true;
      tell();
    });
  }
  std::erase_if(claims_, [&](const auto& claim) { return claim.second.link == &link; });
}

void Database::restart(Duration down) {
  stage_.trace("the database restarts");
  up_at_ = std::max(up_at_, stage_.now() + down);
  const auto links = links_;
  for (auto* link : links) lose(*link, stage_.instances.percent(50));
  const auto sessions = sessions_;
  for (const auto& session : sessions) end(*session);
}

bool Database::is_alive(const std::string& instance) const {
  return std::ranges::any_of(sessions_, [&](const auto& session) { return session->instance == instance; });
}

void Database::end(LockSession& session) {
  if (session.ended) return;
  stage_.trace("the database ends the locks of {}{}", session.instance,
               session.leads ? ", which has led" : "");
  session.ended = true;
  session.leads = false;
  std::erase_if(sessions_, [](const auto& held) { return held->ended; });
}

void Database::unlock(const DatabaseLink& link, std::uint64_t number) {
  if (keeps_claims) return;
  std::erase_if(claims_, [&](const auto& claim) {
    return claim.second.link == &link && claim.second.number == number;
  });
}

// --- one process's connections ------------------------------------------------------------------

DatabaseLink::DatabaseLink(Database& database, Timers& timers) : database_(database), timers_(timers) {
  database_.links_.push_back(this);
}

DatabaseLink::~DatabaseLink() {
  std::erase(database_.links_, this);
  std::erase_if(database_.claims_, [this](const auto& claim) { return claim.second.link == this; });
  for (const auto& session : lock_sessions_)
    database_.stage_.after(database_.stage_.instances.between(Duration(500), silence),
                           [&database = database_, session] { database.end(*session); });
}

void DatabaseLink::cut(bool is_cut) {
  cut_ = is_cut;
  if (is_cut) database_.lose(*this, database_.stage_.instances.percent(50));
}

void DatabaseLink::tell_later(std::function<void()> fn) {
  boost::asio::post(timers_.executor(), std::move(fn));
}

Task<bool> DatabaseLink::reach(SteadyTime deadline) {
  while (!reaches()) {
    if (timers_.now() >= deadline) co_return false;
    co_await sleep_for(timers_, database_.stage_.instances.between(milliseconds(20), milliseconds(500)));
  }
  co_return true;
}

std::shared_ptr<Transaction> DatabaseLink::commit(std::function<void()> write, std::function<void()> told) {
  auto& stage = database_.stage_;
  const auto transaction = std::make_shared<Transaction>();
  transaction->write = std::move(write);
  under_way_.emplace_back(transaction, std::move(told));
  if (auto fn = std::exchange(database_.during_commit_, nullptr))
    stage.after(stage.instances.between(Duration(0), Duration(600)), std::move(fn));
  const auto landing = stage.instances.between(Duration(50), Duration(500));
  const auto answer = landing + stage.instances.between(Duration(50), milliseconds(1));
  stage.after(landing, [&database = database_, transaction] { database.land(*transaction); });
  stage.after(answer, [this, alive = std::weak_ptr(alive_), transaction] {
    if (alive.expired()) return;
    const auto found =
        std::ranges::find(under_way_, transaction, [](const auto& entry) { return entry.first; });
    if (found == under_way_.end()) return;  // the connection was lost
    tell_later([transaction, told = std::move(found->second)] {
      transaction->told = true;
      told();
    });
    under_way_.erase(found);
  });
  return transaction;
}

std::uint64_t DatabaseLink::claim(std::vector<domain::Run>& runs, std::int64_t most) {
  const auto number = ++database_.claims_made_;
  std::vector<domain::Run> taken;
  for (auto& run : runs) {
    if (std::ssize(taken) >= most) break;
    const auto [claim, is_new] = database_.claims_.try_emplace(run.id, Database::Claim{this, number});
    if (!is_new && claim->second.link != this) continue;
    claim->second.number = number;
    taken.push_back(std::move(run));
  }
  runs = std::move(taken);
  database_.stage_.after(longest_claim, [this, alive = std::weak_ptr(alive_), number] {
    if (!alive.expired()) unlock(number);
  });
  return number;
}

Task<std::shared_ptr<LockSession>> DatabaseLink::open_locks(std::string instance) {
  co_await sleep_for(timers_, database_.disk_.read_time());
  if (!reaches() || database_.is_alive(instance)) co_return nullptr;
  const auto session = std::make_shared<LockSession>();
  session->instance = std::move(instance);
  database_.sessions_.push_back(session);
  lock_sessions_ = {session};
  if (!co_await keep_locks(session)) co_return nullptr;
  co_return session;
}

Task<bool> DatabaseLink::keep_locks(std::shared_ptr<LockSession> session) {
  co_await sleep_for(timers_, database_.disk_.read_time());
  if (!co_await reach(timers_.now() + lock_answer_time) || session->ended) co_return false;
  auto& database = database_;
  database.stage_.after(silence, [&database, session, beats = ++session->beats] {
    if (session->beats == beats) database.end(*session);
  });
  const bool led = std::ranges::any_of(database.sessions_, [](const auto& held) { return held->leads; });
  if (!led) session->leads = true;
  session->time = StageClock(database.stage_).now();
  const auto losses = losses_;
  co_await sleep_for(timers_, database_.disk_.read_time());
  co_return losses == losses_;
}

}  // namespace dg::simulation
