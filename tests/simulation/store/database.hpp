// A database server that several processes share. It has one order of commits, the locks by which instances
// know of one another, and runs that one of them is about to start. Connections may be lost at any moment,
// and it may restart.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/async.hpp"
#include "simulation/store/store.hpp"
#include "simulation/world/stage.hpp"

namespace dg::simulation {

// A transaction whose COMMIT was sent.
struct Transaction {
  enum class State { under_way, committed, aborted };
  State state = State::under_way;
  bool told = false;  // its answer came, or the connection was lost before
  std::function<void()> write;
};

// The session that holds an instance's locks. The server ends it after three silent seconds.
struct LockSession {
  std::string instance;
  bool leads = false;
  bool ended = false;
  std::uint64_t beats = 0;
  WallTime time{};  // of the database, when it answered last
};

class DatabaseLink;

class Database {
 public:
  Database(Stage& stage, Disk& disk) : stage_(stage), disk_(disk) {}

  // Every connection is lost, and none is to be had for so long. What is being committed lands or does not.
  void restart(Duration down);
  bool is_up() const { return stage_.now() >= up_at_; }
  // An instance holds its lock.
  bool is_alive(const std::string& instance) const;
  // Does something while the next COMMIT is under way.
  void during_next_commit(std::function<void()> fn) { during_commit_ = std::move(fn); }

  // For planted bugs: what was committed when the connection was lost is said not to have been, and claims
  // last as long as their connection.
  bool forgets = false, keeps_claims = false;

 private:
  friend class DatabaseLink;
  struct Claim {
    DatabaseLink* link = nullptr;
    std::uint64_t number = 0;
  };
  void land(Transaction& transaction);
  void settle_all(DatabaseLink& link, bool landed);
  void lose(DatabaseLink& link, bool landed);
  void end(LockSession& session);
  void unlock(const DatabaseLink& link, std::uint64_t number);

  Stage& stage_;
  Disk& disk_;
  SteadyTime up_at_{};
  std::function<void()> during_commit_;
  std::vector<DatabaseLink*> links_;
  std::vector<std::shared_ptr<LockSession>> sessions_;
  std::map<std::string, Claim> claims_;  // by run
  std::uint64_t claims_made_ = 0;
};

// How one process reaches it. What concerns time is the process's own, so that one that is stopped does
// nothing meanwhile.
class DatabaseLink {
 public:
  DatabaseLink(Database& database, Timers& timers);
  // The process died: the server ends its sessions, soon.
  ~DatabaseLink();
  DatabaseLink(const DatabaseLink&) = delete;
  DatabaseLink& operator=(const DatabaseLink&) = delete;

  // Whether nothing passes between the two.
  void cut(bool is_cut);
  // What is being committed has landed or not; called before the store goes.
  void die(bool landed) { database_.settle_all(*this, landed); }
  bool reaches() const { return !cut_ && database_.is_up(); }
  // Counts how often the connections were lost.
  std::uint64_t losses() const { return losses_; }
  // Waits until it is reached; false when that is not so by the deadline.
  Task<bool> reach(SteadyTime deadline);

  // Sends COMMIT. `write` judges and writes when it lands; `told` is called on the loop.
  std::shared_ptr<Transaction> commit(std::function<void()> write, std::function<void()> told);

  // Locks those of the runs that nobody has locked, so many at most; they are unlocked by their number, when
  // the connection is lost, or after five seconds, which is how long a silent transaction may last.
  std::uint64_t claim(std::vector<domain::Run>& runs, std::int64_t most);
  void unlock(std::uint64_t number) { database_.unlock(*this, number); }

  // --- locks of instances ---
  // Null when the database does not answer.
  Task<std::shared_ptr<LockSession>> open_locks(std::string instance);
  // Says that it lives, and tries to lead; false when the session is lost.
  Task<bool> keep_locks(std::shared_ptr<LockSession> session);
  bool is_alive(const std::string& instance) const { return database_.is_alive(instance); }

 private:
  friend class Database;
  void tell_later(std::function<void()> fn);

  Database& database_;
  Timers& timers_;
  bool cut_ = false;
  std::uint64_t losses_ = 0;
  std::vector<std::pair<std::shared_ptr<Transaction>, std::function<void()>>> under_way_;
  std::vector<std::shared_ptr<LockSession>> lock_sessions_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dg::simulation
