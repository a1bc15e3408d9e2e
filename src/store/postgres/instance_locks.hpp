// The locks by which the instances that share a database know of one another.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/env.hpp"
#include "store/postgres/connection.hpp"

namespace dg::store::postgres {

// Shared by all instances that serve; who holds it alone, as a rebuild does, keeps them from serving.
inline constexpr const char* serving_lock = "duragraph serving";
// Tries to take the lock of the name $1 alone, for the session; gives a boolean.
inline constexpr std::string_view try_advisory_lock = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
// The first key of two: an instance shares the lock of its schema's number, and who holds one alone keeps
// instances with that schema from serving.
inline constexpr std::int64_t schema_locks = 0x44757261;  // "Dura"
// The key of the lock that an instance holds while it lives; `id` is SQL that gives its id.
std::string instance_lock(std::string_view id);

// Held by a session that exists for them alone and says every second that it lives. The server ends a session
// that is silent for three seconds, so an instance that was stopped, killed or cut off loses its locks in a
// few seconds.
class InstanceLocks {
 public:
  // Told the database's time of day, which it had between then, by the timers, and now.
  using OnTime = std::function<void(WallTime, SteadyTime)>;
  // The ports outlive it. `instance` is the id of this process. The database is asked for its time with each
  // question.
  InstanceLocks(Env env, ConnectOptions options, std::string instance, OnTime on_time = {});

  // Tries once to be an instance that serves; false while somebody keeps instances from it.
  Task<Outcome<bool>> try_take();
  // Keeps the locks and tries for that of the leader, which one instance of all holds. `leads` is told when
  // that changes. Returns when all are lost, and says why.
  Task<Failure> keep(std::function<void(bool)> leads);

 private:
  Task<Outcome<bool>> beat(bool leads);
  void take_time(Rows& rows, SteadyTime asked) const;

  Env env_;
  ConnectOptions options_;
  std::string instance_;
  OnTime on_time_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace dg::store::postgres
