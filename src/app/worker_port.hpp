// What the server and a worker say to each other, without its form on the wire (docs/worker-protocol.md).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "store/records.hpp"

namespace dg::app {

// --- from the server --------------------------------------------------------------------------
struct LeaseOffer {
  domain::Run run;              // with epoch, attempt and request
  bool has_checkpoints = true;  // its thread, or that is not known
};
struct CancelOrder {
  std::string owner;
  std::int64_t epoch = 0;
  domain::CancelAction action = domain::CancelAction::interrupt;
};
struct Superseded {
  std::string owner;
  std::int64_t epoch = 0;
  std::string reason;
};
struct Ack {
  std::string owner;
  std::int64_t epoch = 0;
  std::int64_t n = 0;
};
struct WorkerRequest {
  std::int64_t id = 0;
  std::string method;
  std::string params;  // JSON object
};
// A message that asked for an answer is durable.
struct Replied {
  std::int64_t id = 0;
};
struct DrainOrder {};

using ToWorker = std::variant<LeaseOffer, CancelOrder, Superseded, Ack, WorkerRequest, Replied, DrainOrder>;

// One connection to a worker, implemented by the protocol's adapter.
class WorkerLink {
 public:
  virtual ~WorkerLink() = default;
  // Queues the message; one for a closed connection is dropped.
  virtual void send(ToWorker message) = 0;
  virtual void close(std::uint16_t code, std::string reason) = 0;
};

// --- from a worker ----------------------------------------------------------------------------
struct ItemPut {
  std::vector<std::string> ns;
  std::string key;
  std::string value;  // "null": delete
};
struct FramesSaid {
  std::vector<store::Frame> frames;
};
struct CheckpointSaid {
  store::NewCheckpoint checkpoint;
};
struct WritesSaid {
  store::NewWrites writes;
};
struct ItemsSaid {
  std::vector<ItemPut> puts;
};
enum class Outcome { success, interrupted, error, cancelled };
struct CompleteSaid {
  Outcome outcome = Outcome::success;
  domain::RunError error;
};

// A numbered message of an owner (a run or an operation).
struct OwnerMessage {
  std::string owner;
  std::int64_t epoch = 0;
  std::int64_t n = 0;
  std::variant<FramesSaid, CheckpointSaid, WritesSaid, ItemsSaid, CompleteSaid> body;
  std::int64_t reply_id = 0;  // asks for an answer once it is durable; 0: the acknowledgement is enough
  std::size_t bytes = 0;      // of the message, for bounds
};

struct RegisteredGraph {
  std::string graph_id;
  std::string description;
  std::string error = "null";  // JSON {error, message, traceback, file, line} when it cannot be imported
};

struct OwnedSaid {
  std::string owner;
  std::int64_t epoch = 0;
};

struct Hello {
  std::string session;
  std::string secret;
  std::string worker;  // JSON: name, pid, language, versions
  std::string name;
  std::string revision;
  bool supervised = false;
  bool draining = false;
  std::int64_t slots = 0;
  std::vector<RegisteredGraph> graphs;
  std::vector<OwnedSaid> owned;
};

// How an owner that a worker claims stands.
struct OwnedAnswer {
  std::string owner;
  std::int64_t epoch = 0;
  std::int64_t applied_n = 0;
  enum class State { live, cancel, superseded } state = State::superseded;
  domain::CancelAction action = domain::CancelAction::none;
};

}  // namespace dg::app
