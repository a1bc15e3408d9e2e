// What the threads of nats.c hand to the event loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "base/async.hpp"

namespace dg::bus::nats {

struct Incoming {
  std::uint64_t subscription = 0;
  std::string subject{};
  std::string status{};  // where the server itself answers: 503, nobody listens
  std::string data{};
};
// A connection begins: every subscription was made on it.
struct Connected {
  std::size_t max_payload = 0;
  std::uint64_t number = 0;  // of the connection, counted upwards from 1
};
// There is none, for the reason that is given.
struct Lost {
  std::string why;
  bool refused = false;  // the server does not let us in
};
// The server has answered after everything up to this subscription.
struct Confirmed {
  std::uint64_t up_to = 0;
  Duration round_trip{};
};
// What came in was dropped, or what was to go out.
struct Missed {
  bool incoming = true;
};
// The server refused something and goes on.
struct Trouble {
  std::string what;
};
using Event = std::variant<Incoming, Connected, Lost, Confirmed, Missed, Trouble>;

// Filled by any thread, emptied on the loop. Messages beyond the bound are dropped, which is said once for
// all of them.
class Inbox : public std::enable_shared_from_this<Inbox> {
 public:
  using Deliver = std::function<void(std::vector<Event>)>;
  Inbox(Executor executor, std::size_t max_bytes, Deliver deliver)
      : executor_(executor), max_bytes_(max_bytes), deliver_(std::move(deliver)) {}

  void put(Event event);
  // Nothing is delivered after it, and nothing asked of the loop. To be called on the loop.
  void close();
  std::uint64_t dropped() const { return dropped_; }

 private:
  void add(Event event);
  void drain();

  const Executor executor_;
  const std::size_t max_bytes_;
  Deliver deliver_;
  std::mutex mutex_;
  std::vector<Event> events_;
  std::size_t bytes_ = 0;
  bool posted_ = false;
  bool full_ = false;
  bool closed_ = false;
  std::atomic<std::uint64_t> dropped_ = 0;
};

}  // namespace dg::bus::nats
