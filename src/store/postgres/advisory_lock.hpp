// A lock that at most one process of all that share a database holds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/env.hpp"
#include "store/postgres/connection.hpp"

namespace dg::store::postgres {

// Of the instance that serves a database, and of whoever keeps instances from serving it.
inline constexpr const char* active_instance = "duragraph active instance";
// Tries to take the lock of the name $1 for the session; gives a boolean.
inline constexpr std::string_view try_advisory_lock = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";

// Held by a session that exists for it alone and says every second that it lives. The server ends a session
// that is silent for three seconds, so a holder that was stopped, killed or cut off loses the lock in a few
// seconds.
class AdvisoryLock {
 public:
  // The ports outlive it. `name` is the same in every process that shares the lock.
  AdvisoryLock(Env env, ConnectOptions options, std::string name);

  // Tries once; true when it is held now, false when another process holds it.
  Task<Outcome<bool>> try_take();
  // Says in the database that `instance` holds it; gives who said so last, empty where nobody did. Only when
  // held.
  Task<Outcome<std::string>> sign(std::string instance);
  // Returns when the lock is not held any more, and says why.
  Task<Failure> keep();
  void release() { connection_.reset(); }
  bool is_held() const { return connection_ != nullptr; }

 private:
  Env env_;
  ConnectOptions options_;
  std::string name_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace dg::store::postgres
