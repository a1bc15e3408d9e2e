// The thread that speaks with NATS. The functions of nats.c may wait for the network, so the event loop calls
// none of them: it hands over what is to be done, and is told by an inbox what happened.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "bus/nats/inbox.hpp"
#include "bus/nats/options.hpp"

struct __natsConnection;
struct __natsOptions;
struct __natsSubscription;

namespace dg::bus::nats {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Outgoing {
  std::string subject;
  std::string reply{};  // where an answer goes
  Headers headers{};
  std::string data{};
};

// What is to be done, in order.
struct Order {
  enum class Kind { publish, subscribe, unsubscribe };
  Kind kind = Kind::publish;
  std::uint64_t subscription = 0;  // numbered upwards
  Outgoing message{};              // of a subscription: the subject
  // That the message is meant for. On a later one it would be out of date: whoever gave it was told that it
  // is lost, and another instance may have gone on.
  std::uint64_t connection = 0;
};

class Link {
 public:
  // `seed` is for the pauses between attempts to connect. invalid_argument: the options cannot be used.
  static Result<std::unique_ptr<Link>> start(Options options, std::shared_ptr<Inbox> inbox,
                                             std::uint64_t seed);
  // Ends the connection; waits for what the thread is doing, some seconds at most for each server.
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void hand_over(std::vector<Order> orders);
  // What was handed over and not taken yet.
  std::size_t queued_bytes() const { return queued_bytes_; }

  // Messages that were handed over and could not go out.
  std::uint64_t unsent() const { return unsent_; }

  static std::size_t size_of(const Outgoing& message);

 private:
  struct FreeOptions {
    void operator()(__natsOptions* options) const;
  };
  using NatsOptions = std::unique_ptr<__natsOptions, FreeOptions>;
  struct Wanted {
    std::string subject;
    __natsSubscription* made = nullptr;
  };

  Link(NatsOptions options, std::shared_ptr<Inbox> inbox, std::uint64_t seed);
  static Result<NatsOptions> make_options(const Options& options, Inbox& inbox);
  void run();
  bool connect();
  void disconnect();
  void lose(const std::string& why, bool refused = false);
  void pause();
  std::vector<Order> await_orders();
  void execute(Order& order);
  bool publish(Outgoing& message);
  bool subscribe(std::uint64_t number, Wanted& wanted);
  void unsubscribe(std::uint64_t number);
  // Waits for the server's answer to a PING, which also sends what is buffered.
  void confirm();

  NatsOptions options_;
  std::shared_ptr<Inbox> inbox_;
  std::uint64_t seed_;

  // Of the thread alone.
  __natsConnection* connection_ = nullptr;
  std::uint64_t connections_ = 0;  // that were made
  std::map<std::uint64_t, Wanted> wanted_;
  std::uint64_t last_ = 0;  // subscription
  std::uint64_t confirmed_ = 0;
  SteadyTime confirmed_at_{};
  int failures_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Order> orders_;
  bool stopping_ = false;
  std::atomic<std::size_t> queued_bytes_ = 0;
  std::atomic<std::uint64_t> unsent_ = 0;
  std::thread thread_;
};

}  // namespace dg::bus::nats
