// The port of a broker's stream of events, for whoever outside wants to know what happens. It is a copy that
// may be lost.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/async.hpp"
#include "base/env.hpp"
#include "base/result.hpp"

namespace dg::bus {

struct StreamEvent {
  std::string key;                   // events of one key are stored in order
  std::vector<std::string> subject;  // its words behind the stream's own, whatever their characters
  std::string message_id;            // stored once within some minutes
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string data{};
};

struct StreamInfo {
  std::string id;  // a stream that was made anew has another one
  std::int64_t last_sequence = 0;
};

// Errors: unavailable (the broker cannot be reached or asked now), timeout, not_found (there is no stream, or
// the broker has none of any kind), invalid_argument (it refuses the stream's settings), internal.
class EventStream {
 public:
  virtual ~EventStream() = default;

  // Names the deployment in subjects; to be called before all else, with one word of a subject.
  virtual void begin(const std::string& scope) = 0;
  // Whether calls make sense; why not is for a person.
  virtual bool is_reachable() const = 0;
  virtual std::string why_unreachable() const = 0;
  // How large the data of an event may be.
  virtual std::size_t max_data() const = 0;
  // Whether the broker can keep streams. forbidden: it cannot, with what to do about it.
  virtual Task<Status> can_keep_streams() = 0;
  // The stream as it is; nothing when there is none.
  virtual Task<Result<std::optional<StreamInfo>>> look() = 0;
  // Makes the stream, or brings its settings up to date.
  virtual Task<Result<StreamInfo>> make() = 0;
  // Gives the last sequence once all are stored. Where that fails some of them may be, of each key the first
  // ones.
  virtual Task<Result<std::int64_t>> publish(std::vector<StreamEvent> events) = 0;
};

}  // namespace dg::bus
