// What goes over NATS between instances: subjects, wake-ups, and messages in one or several parts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/async.hpp"
#include "bus/bus.hpp"

namespace dg::bus::nats {

// `scope` names the deployment; those that share a NATS do not hear one another.
std::string subject_of(std::string_view scope, Topic topic, std::string_view id);
std::string subject_of_all(std::string_view scope, Topic topic);
// Where an instance says that others may have missed something.
std::string missed_subject(std::string_view scope);
// One token of a subject for an id, whatever characters it has. Different ids have different tokens.
std::string token_of(std::string_view id);

// One payload. A wake-up has no body.
struct Part {
  std::string id;
  std::uint64_t sender = 0;   // a number of the instance's own
  std::uint64_t message = 0;  // numbered by the sender
  std::uint32_t index = 0;
  std::uint32_t count = 1;
  std::string_view body{};
};
std::string encode(const Part& part);
// Nothing: it is none. The body is a part of `payload`.
std::optional<Part> decode(std::string_view payload);

// A message's payloads, none larger than `max_payload`, which is a kilobyte at least.
std::vector<std::string> split(std::string_view id, std::uint64_t sender, std::uint64_t message,
                               std::string_view body, std::size_t max_payload);

// Puts messages of several parts together again. A message whose parts do not follow upon one another is
// dropped, and so is one beyond the bounds of size and time.
class Assembler {
 public:
  struct Bounds {
    std::size_t message = std::size_t{64} << 20;
    std::size_t total = std::size_t{256} << 20;
    Duration time = std::chrono::seconds(10);
  };
  explicit Assembler(Bounds bounds) : bounds_(bounds) {}

  // The body, when this part completes it. Parts come in order for each subscription and sender.
  std::optional<std::string> add(std::uint64_t subscription, const Part& part, SteadyTime now);
  // Drops what waits for its next part for too long.
  void expire(SteadyTime now);
  // Drops all of the subscription, or everything.
  void forget(std::uint64_t subscription);
  void clear();
  // Messages dropped so far.
  std::uint64_t dropped() const { return dropped_; }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Begun {
    std::uint64_t message;
    std::uint32_t next;
    std::string body;
    SteadyTime last;
  };
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // subscription, sender
  using Place = std::map<Key, Begun>::iterator;
  Place drop(Place place);
  bool continues(const Begun& begun, const Part& part) const;

  Bounds bounds_;
  std::map<Key, Begun> begun_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace dg::bus::nats
