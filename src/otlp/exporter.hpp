// Sends spans to a collector, by OTLP over HTTP, from a thread of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/trace.hpp"
#include "otlp/encode.hpp"

namespace dg::otlp {

// Which traces are recorded. The ratio is of those that begin here, or of all where parents do not count.
struct Sampler {
  double ratio = 1;
  bool by_parent = true;  // a trace that comes from elsewhere is recorded where its beginner does so
};

struct Settings {
  std::string endpoint;  // the URL that takes traces
  std::vector<std::pair<std::string, std::string>> headers;
  Protocol protocol = Protocol::protobuf;
  std::chrono::milliseconds timeout{10'000};  // of one request
  Source source;
  Sampler sampler;
};

struct Counts {
  std::uint64_t exported = 0;
  std::uint64_t dropped_full = 0;    // the queue was
  std::uint64_t dropped_failed = 0;  // the collector refused them, or was away for too long
};

// How an answer of the collector, or its absence, is to be taken.
enum class Verdict { taken, again, refused };
// `status` 0: no answer came.
Verdict verdict_on(long status);

class Poster;

class Exporter final : public Tracer {
 public:
  explicit Exporter(Settings settings);
  // Stops at once; what waits is lost.
  ~Exporter() override;
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  bool samples(const std::optional<TraceContext>& parent, const TraceId& id) const override;
  // One that the queue has no room for is dropped and counted.
  void record(Span span) override;
  Counts counts() const;
  // Sends what waits, for `time` at most, and ends.
  void stop(std::chrono::milliseconds time);

 private:
  using Batch = std::vector<Span>;
  using Deadline = std::chrono::steady_clock::time_point;

  void run();
  Batch take_batch();
  void deliver(Poster& poster, const Batch& batch);
  // Whether the time that a stop left is over.
  bool is_too_late() const;
  // Whether to go on after a pause, which a stop cuts short.
  bool pause(std::chrono::milliseconds time);

  const Settings settings_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Span> queue_;
  std::optional<Deadline> stop_at_;
  std::atomic<std::uint64_t> exported_ = 0;
  std::atomic<std::uint64_t> dropped_full_ = 0;
  std::atomic<std::uint64_t> dropped_failed_ = 0;
  std::thread thread_;
};

}  // namespace dg::otlp
