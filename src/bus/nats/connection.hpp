// One connection to NATS as the event loop sees it: messages, subscriptions, questions with answers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/env.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "bus/nats/inbox.hpp"
#include "bus/nats/link.hpp"
#include "bus/nats/options.hpp"

namespace dg::bus::nats {

struct Limits {
  std::size_t outgoing_bytes = std::size_t{128} << 20;  // that wait for the network; more are dropped
  std::size_t incoming_bytes = std::size_t{128} << 20;  // that wait for the loop; more are dropped
};

struct Load {
  bool connected = false;
  std::uint64_t connections = 0;  // that were made, the first among them
  std::uint64_t sent = 0, received = 0;
  std::uint64_t unsent = 0;   // dropped before they went out
  std::uint64_t dropped = 0;  // after they came in
  std::size_t subscriptions = 0;
  std::size_t queued_bytes = 0, max_queued_bytes = 0;
};

// Lives on one loop; handlers are called there, and may subscribe and end subscriptions. It connects by
// itself and goes on trying for ever, so everything may be called at any time.
class Connection {
 public:
  using Handler = std::function<void(const Incoming&)>;
  using Answered = std::function<void(Result<Incoming>)>;
  // What somebody who uses it wants to know.
  struct Watcher {
    std::function<void()> connected{};
    std::function<void()> lost{};
    std::function<void(bool incoming)> missed{};
    std::function<void(std::uint64_t up_to)> confirmed{};  // these subscriptions hold at the server
  };

  // invalid_argument: the options cannot be used. `env` outlives the connection.
  static Result<std::unique_ptr<Connection>> open(const Env& env, Options options, Limits limits = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One only: the bus.
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }

  // Numbered upwards.
  std::uint64_t subscribe(const std::string& subject, Handler handler);
  void unsubscribe(std::uint64_t subscription);
  // Goes out at the end of the loop's turn. False: there is no connection, or no room.
  bool publish(Outgoing message);
  // Publishes it with a reply subject. The answer, or `unavailable` once the connection is lost, is handed
  // over on the loop, never from inside the call. 0: as publish's false; nothing is handed over.
  std::uint64_t ask(Outgoing message, Answered answered);
  void forget(std::uint64_t question);
  Task<Result<Incoming>> request(Outgoing message, SteadyTime deadline);

  bool is_connected() const { return connected_; }
  // Why not, for a person.
  const std::string& why_not_connected() const { return why_not_; }
  // Whether a server was reached that does not take the credentials.
  bool is_refused() const { return refused_; }
  std::size_t max_payload() const { return max_payload_; }
  // Of the server's newest answer.
  Duration round_trip() const { return round_trip_; }
  // Messages that were handed to handlers within one call of the loop have one number.
  std::uint64_t delivery() const { return delivery_; }
  Load load() const;

 private:
  Connection(const Env& env, Limits limits);
  void add_order(Order order);
  void flush();
  void take(const std::vector<Event>& events);
  void take(const Incoming& message);
  void take(const Connected& event);
  void take(const Lost& event);
  void take(const Confirmed& event);
  void take(const Missed& event);
  void take(const Trouble& event);
  void take_answer(const Incoming& message);

  Env env_;
  Limits limits_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  std::shared_ptr<Inbox> inbox_;
  std::unique_ptr<Link> link_;
  Watcher watcher_;
  std::map<std::uint64_t, std::shared_ptr<const Handler>> handlers_;
  std::map<std::uint64_t, Answered> questions_;
  std::string answers_;  // the head of the subjects that answers come to
  std::vector<Order> orders_;
  std::size_t order_bytes_ = 0;
  bool flushing_ = false;
  bool connected_ = false;
  std::uint64_t connection_ = 0;  // the number of the newest
  std::string why_not_ = "no connection was made yet";
  bool refused_ = false;
  std::string trouble_;
  std::size_t max_payload_ = 0;
  Duration round_trip_{};
  std::uint64_t last_subscription_ = 0, last_question_ = 0, delivery_ = 0;
  std::uint64_t connections_ = 0, sent_ = 0, received_ = 0, unsent_ = 0;
};

// Metrics under duragraph_nats_*. The connection outlives whoever renders them.
void show_load(Metrics& metrics, const Connection& connection);

}  // namespace dg::bus::nats
