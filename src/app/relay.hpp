// The relay: tells a broker's stream what happened, and fills the stream again when it has lost that.
#pragma once

#include <optional>
#include <string>

#include "base/env.hpp"
#include "base/metrics.hpp"
#include "bus/event_stream.hpp"
#include "store/outbox.hpp"

namespace dg::app {

struct RelaySettings {
  Duration retention = std::chrono::hours(7 * 24);  // how far back a stream is filled again
  Duration net = std::chrono::seconds(1);           // between looks where nobody said that there is something
  // Between a step and the next while events keep coming: fewer steps with more events each. What comes after
  // a silence is told at once.
  Duration gather = std::chrono::milliseconds(20);
  std::size_t many = 500;                     // events of a step that is followed by the next without a pause
  Duration check = std::chrono::seconds(30);  // between looks at the stream itself
  Duration trim = std::chrono::minutes(1);    // between looks at the outbox's size
  Duration longest_pause = std::chrono::seconds(5);  // after failures
};

// One for each instance; all of them relay side by side.
class Relay {
 public:
  // Everything that is passed outlives the relay.
  Relay(const Env& env, store::Outbox& outbox, bus::EventStream& stream, Metrics& metrics,
        RelaySettings settings = {});

  // Events were committed.
  void wake();
  // Why the last step failed; empty when it did not.
  const std::string& trouble() const { return told_; }
  // Relays for ever. The outbox's database has its schema, and its scope was told to the stream.
  Task<void> run(std::string scope);

 private:
  // One step; how much was told, and whether there may be more to do.
  Task<Result<store::Relayed>> step();
  Task<Status> check_stream();
  Task<void> trim();
  Task<Result<std::int64_t>> publish(const std::vector<store::PublishedEvent>& events, bool replay);
  void tell(const Error& error);

  Env env_;
  store::Outbox& outbox_;
  bus::EventStream& stream_;
  RelaySettings settings_;
  std::string scope_;
  Signal woken_;
  bool has_work_ = false;
  bool made_ = false;  // by this process: the stream has its settings
  std::optional<SteadyTime> checked_at_;
  SteadyTime trim_at_{};
  SteadyTime refill_at_{};
  std::string told_;
  Counter& published_;
  Counter& replayed_;
  Counter& failures_;
  Gauge& rows_;
  Histogram& delay_;
};

}  // namespace dg::app
