// The broker between instances: messages take time, of one sender they arrive in order, and what is said
// while somebody is not connected never reaches him. Then he looks for himself, as `bus/nats` sees to.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bus/local/listeners.hpp"
#include "simulation/world/wire.hpp"

namespace dg::simulation {

class Broker {
 public:
  class Member;
  Broker(Stage& stage, Network& network) : stage_(stage), network_(network) {}

  // A bus for one more process. The broker outlives it.
  std::unique_ptr<Member> join(Timers& timers);
  // Nobody is connected until it is back.
  void set_away(bool away);
  // For a planted bug: whether whoever may have missed something is woken.
  bool wakes = true;

 private:
  Stage& stage_;
  Network& network_;
  std::vector<Member*> members_;
  std::uint64_t joined_ = 0;
  bool away_ = false;
};

class Broker::Member final : public bus::Bus {
 public:
  Member(Broker& broker, Timers& timers);
  ~Member() override;

  void cut(bool is_cut);

  void publish(bus::Topic topic, const std::string& id) override;
  void send(bus::Topic topic, const std::string& id, std::string body) override;
  bool reaches_others() const override { return true; }
  bus::Subscription subscribe(bus::Topic topic, std::string id, Listener listener) override;

 private:
  friend class Broker;
  using Key = bus::Listeners::Key;
  struct Message {
    bus::Topic topic;
    std::string id, body;
    bool to_all_listeners = false;  // somebody has missed something
  };
  static const Message missed;
  void tell_others(const Message& message);
  void hear(const Message& message);
  // Does something on the loop when it is time, unless the process or the connection is gone by then.
  void later(SteadyTime when, std::function<void()> fn);
  // The connection is lost, or there may be one again.
  void changed();
  void connect();
  void tick();

  Broker& broker_;
  Timers& timers_;
  std::uint64_t number_;
  bool cut_ = false, connected_ = false;
  std::uint64_t connections_ = 0;
  std::set<Key> held_;                        // subscriptions that hold at the broker
  std::map<std::uint64_t, SteadyTime> last_;  // when the newest message of each sender arrives
  bus::Listeners listeners_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dg::simulation
