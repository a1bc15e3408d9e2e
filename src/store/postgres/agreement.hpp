// What all instances that share a database must have alike.
#pragma once

#include <memory>
#include <string>

#include "base/env.hpp"
#include "store/postgres/connection.hpp"

namespace dg::store::postgres {

// The value of a setting as all live instances have it, by its fingerprint. Each holds a shared lock as long
// as it lives, by a session that exists for it alone; who finds nobody else holding it may change the value.
// So any number of instances may live at once, and a value is changed by ending them all.
class Agreement {
 public:
  enum class Answer {
    held,     // this instance's value is that of all, and stays so while it holds the lock
    differs,  // others are alive that have another value
    later,    // another instance is just looking: ask again
  };

  // The ports outlive it. `name` is the setting's.
  Agreement(Env env, ConnectOptions options, std::string name, std::string fingerprint);

  Task<Outcome<Answer>> enter();
  // Returns when the lock is not held any more, and says why.
  Task<Failure> keep();

 private:
  Task<Outcome<Answer>> compare(Connection& connection);
  Task<Outcome<bool>> ask(Connection& connection, std::string_view sql);

  Env env_;
  ConnectOptions options_;
  std::string name_;
  std::string fingerprint_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace dg::store::postgres
