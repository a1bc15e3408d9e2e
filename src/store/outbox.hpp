// The port of what is told to the outside: events that wait to be published, and those that are published
// again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/async.hpp"
#include "base/result.hpp"
#include "domain/event.hpp"

namespace dg::store {

// A stream of a broker, as it is or as it was left.
struct StreamState {
  std::string id;                  // another one when it was made anew; empty: none
  std::int64_t last_sequence = 0;  // of its messages
};

struct OutboxState {
  std::string scope;     // names the database; made with it
  StreamState stream{};  // that is filled
  bool refilling = false;
};

struct Relayed {
  std::size_t events = 0;
  bool more = false;  // there may be more to be had at once
};

struct Waiting {
  std::int64_t waiting = 0;  // rows; no more are counted than may be kept, and one
  bool dropped = false;
};

// An event; its payload may be left out because it is too large.
struct PublishedEvent {
  domain::EventRecord event;
  bool without_payload = false;
};

struct OutboxLimits {
  std::int64_t rows = 1000;                    // of one transaction
  std::int64_t bytes = std::int64_t{8} << 20;  // of payloads; one event may have more
  std::int64_t payload = 900'000;              // a larger one is left out
  std::int64_t kept = 1'000'000;               // rows; beyond them trim() drops all
};

class Outbox {
 public:
  // Gives the sequence that the stream has after them, once all are stored there in the order that they have
  // for each aggregate. It must end within ten seconds.
  using Publish = std::function<Task<Result<std::int64_t>>(const std::vector<PublishedEvent>&)>;
  virtual ~Outbox() = default;

  virtual Task<Result<OutboxState>> state() = 0;
  // Publishes some of what waits, and forgets it in the transaction that held it meanwhile: nobody else
  // publishes events of the same aggregates until then. What fails stays, and so does what was published when
  // the process died before that: it is published twice.
  virtual Task<Result<Relayed>> relay(const Publish& publish) = 0;
  // From when it returns on nobody relays until all events since that time were published again.
  virtual Task<Status> begin_refill(WallTime since) = 0;
  // The stream that is filled from now on.
  virtual Task<Status> set_stream(const StreamState& stream) = 0;
  // Publishes the next events again, one process at a time; nothing when somebody else does.
  virtual Task<Result<Relayed>> refill(const Publish& publish) = 0;
  // Counts what waits. Where that is more than may be kept, all of it is dropped, and events since that time
  // are published again in its place.
  virtual Task<Result<Waiting>> trim(WallTime since) = 0;
};

}  // namespace dg::store
