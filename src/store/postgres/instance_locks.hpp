// The locks by which the instances that share a database know of one another.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/env.hpp"
#include "base/shared_clock.hpp"
#include "store/postgres/connection.hpp"

namespace dg::store::postgres {

// Shared by all instances that serve; who holds it alone, as a rebuild does, keeps them from serving.
inline constexpr const char* serving_lock = "duragraph serving";
// Tries to take the lock of the name $1 alone, for the session; gives a boolean.
inline constexpr std::string_view try_advisory_lock = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
// The key of the lock that an instance holds while it lives; `id` is SQL that gives its id.
std::string instance_lock(std::string_view id);

// Held by a session that exists for them alone and says every second that it lives. The server ends a session
// that is silent for three seconds, so an instance that was stopped, killed or cut off loses its locks in a
// few seconds.
class InstanceLocks {
 public:
  // The ports outlive it. `instance` is the id of this process; the clock is told what the database's says,
  // which is so that of all instances.
  InstanceLocks(Env env, SharedClock& clock, ConnectOptions options, std::string instance);

  // Tries once to be an instance that serves; false while somebody keeps instances from it.
  Task<Outcome<bool>> try_take();
  // Keeps the locks and tries for that of the leader, which one instance of all holds. `leads` is told when
  // that changes. Returns when all are lost, and says why.
  Task<Failure> keep(std::function<void(bool)> leads);

 private:
  Task<Outcome<bool>> beat(bool leads);
  // What all of the pipeline gives, and what the clock says.
  Task<Outcome<std::vector<Rows>>> ask(Connection& connection, Pipeline pipeline);

  Env env_;
  SharedClock& clock_;
  ConnectOptions options_;
  std::string instance_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace dg::store::postgres
