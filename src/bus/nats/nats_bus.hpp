// Wake-ups and messages between instances over core NATS.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/env.hpp"
#include "bus/bus.hpp"
#include "bus/local/listeners.hpp"
#include "bus/nats/connection.hpp"
#include "bus/nats/wire.hpp"

namespace dg::bus::nats {

struct BusLimits {
  std::size_t message = std::size_t{64} << 20;    // a larger one is not sent
  std::size_t gathered = std::size_t{256} << 20;  // parts of messages that are not complete
  Duration part_time = std::chrono::seconds(10);  // between two parts
  Duration net = std::chrono::seconds(1);         // between wake-ups of everybody while nothing can be heard
};

// Within one turn of the loop, wake-ups of the same topic and id are one. What could not be told others makes
// them wake everybody as soon as they can be told that.
class NatsBus final : public Bus {
 public:
  // The connection, which it watches, and what `env` names outlive it.
  NatsBus(const Env& env, Connection& connection, BusLimits limits = {});
  ~NatsBus() override;

  // Until then it reaches nobody, as without a connection. `scope` is one token of a subject that all
  // instances on one database know, and no others.
  void begin(const std::string& scope);

  void publish(Topic topic, const std::string& id) override;
  void send(Topic topic, const std::string& id, std::string body) override;
  bool reaches_others() const override { return true; }
  [[nodiscard]] Subscription subscribe(Topic topic, std::string id, Listener listener) override;

  // Whether anybody can be reached at the moment.
  bool is_open() const;
  std::uint64_t messages_dropped() const { return assembler_.dropped() + refused_; }

 private:
  using Key = Listeners::Key;
  struct Waiting {
    std::uint64_t subscription;
    Key key;
  };

  void listen(const Key& key);
  void stop_listening(const Key& key);
  void wake_later(const Key& key);
  void take(const Key& key, std::uint64_t subscription, const Incoming& message);
  bool is_repeated(const Key& key, const Part& part);
  void take_confirmed(std::uint64_t up_to);
  void take_missed(bool incoming);
  void wake_everybody();
  void tell_missed();
  void tick();
  void write(Topic topic, const std::string& id, std::string_view body);

  Env env_;
  Connection& connection_;
  BusLimits limits_;
  std::uint64_t sender_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  Timers::Id timer_ = 0;
  std::string scope_;
  Listeners listeners_;
  std::map<Key, std::uint64_t> held_;  // what is listened to at NATS
  std::deque<Waiting> waiting_;        // for the server to have the subscription
  Assembler assembler_;
  std::set<Key> published_;  // wake-ups of this turn, with no message of the same key after them
  bool turn_ends_ = false;
  std::set<std::pair<Key, std::string>> woken_;  // key and id, within this delivery
  std::uint64_t delivery_ = 0;
  std::uint64_t all_woken_ = 0;  // in this delivery
  std::uint64_t last_message_ = 0, refused_ = 0;
  bool back_ = false;         // everybody is woken with the next confirmation
  bool owes_missed_ = false;  // others are told so with the next tick
};

void show_load(Metrics& metrics, const NatsBus& bus);

}  // namespace dg::bus::nats
