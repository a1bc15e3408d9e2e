// How the server and what it needs do.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "app/context.hpp"

namespace dg::app {

struct DatabaseHealth {
  std::string error;  // empty: it answers
  Duration latency{};
  std::int64_t schema = 0;
};

// What the server gets along without for a while.
struct BrokerHealth {
  std::string error;   // empty: it answers
  Duration latency{};  // of its newest answer
};

class Health {
 public:
  explicit Health(Context& context) : context_(context), answered_(context.env.timers) {}

  // Asks the database. An answer counts for a second, and whoever asks meanwhile shares it.
  Task<DatabaseHealth> database();

  // Where there is a broker. `ask` does not wait.
  void set_broker(std::function<BrokerHealth()> ask) { broker_ = std::move(ask); }
  std::optional<BrokerHealth> broker() const { return broker_ ? std::optional(broker_()) : std::nullopt; }

  // Why requests cannot be served, said by whoever starts and stops the server; empty when they can.
  void set_not_ready(std::string reason) { not_ready_ = std::move(reason); }
  const std::string& why_not_ready() const { return not_ready_; }

  // Why nothing more is to be sent here, although what comes is served: this instance is about to stop.
  void set_leaving(std::string reason) { leaving_ = std::move(reason); }
  // Either of them, for whoever sends requests to instances; empty: they may be sent here.
  const std::string& why_avoided() const { return not_ready_.empty() ? leaving_ : not_ready_; }

 private:
  Context& context_;
  std::string not_ready_;
  std::string leaving_;
  std::function<BrokerHealth()> broker_;
  std::optional<DatabaseHealth> last_;
  SteadyTime answered_at_{};
  bool asking_ = false;
  Signal answered_;
};

}  // namespace dg::app
