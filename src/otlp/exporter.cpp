#include "otlp/exporter.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>

#include "base/back_off.hpp"
#include "base/log.hpp"
#include "otlp/post.hpp"

namespace dg::otlp {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// OpenTelemetry's defaults for its batch processor, but a shorter wait.
constexpr std::size_t queue_max = 2048;
constexpr std::size_t batch_max = 512;
constexpr milliseconds batch_wait{1000};

constexpr BackOff pauses{.first = milliseconds(500), .longest = milliseconds(8000)};
// How long a batch is tried; meanwhile the queue takes what comes.
constexpr std::chrono::seconds patience{60};

std::vector<std::pair<std::string, std::string>> headers_of(const Settings& settings) {
  auto headers = settings.headers;
  headers.emplace_back("Content-Type", std::string(content_type(settings.protocol)));
  headers.emplace_back("User-Agent", "OTel-OTLP-Exporter-duragraph/" + settings.source.version);
  return headers;
}

}  // namespace

Verdict verdict_on(long status) {
  if (status / 100 == 2) return Verdict::taken;
  // Those that the specification of OTLP/HTTP names.
  const bool transient = status == 0 || status == 429 || (status >= 502 && status <= 504);
  return transient ? Verdict::again : Verdict::refused;
}

Exporter::Exporter(Settings settings) : settings_(std::move(settings)), thread_([this] { run(); }) {}

Exporter::~Exporter() {
  stop(milliseconds{0});
}

// A trace is recorded where the last bits of its id, which are random, are below the ratio: all services with
// one ratio record the same ones.
bool Exporter::samples(const std::optional<TraceContext>& parent, const TraceId& id) const {
  if (settings_.sampler.by_parent && parent) return parent->sampled;
  std::uint64_t bits = 0;
  for (std::size_t i = 8; i < id.size(); ++i) bits = bits << 8 | id[i];
  return settings_.sampler.ratio >= 1 ||
         static_cast<double>(bits >> 1) < settings_.sampler.ratio * std::ldexp(1.0, 63);
}

void Exporter::record(Span span) {
  bool full_batch = false;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_max) {
      dropped_full_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    queue_.push_back(std::move(span));
    full_batch = queue_.size() == batch_max;
  }
  if (full_batch) changed_.notify_one();
}

Counts Exporter::counts() const {
  return {exported_.load(std::memory_order_relaxed), dropped_full_.load(std::memory_order_relaxed),
          dropped_failed_.load(std::memory_order_relaxed)};
}

void Exporter::stop(milliseconds time) {
  {
    const std::lock_guard lock(mutex_);
    if (!stop_at_) stop_at_ = steady_clock::now() + time;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Exporter::Batch Exporter::take_batch() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, batch_wait, [this] { return stop_at_ || queue_.size() >= batch_max; });
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), batch_max));
  Batch batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.begin() + count));
  queue_.erase(queue_.begin(), queue_.begin() + count);
  return batch;
}

bool Exporter::pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return stop_at_.has_value(); });
}

bool Exporter::is_too_late() const {
  const std::lock_guard lock(mutex_);
  return stop_at_ && steady_clock::now() >= *stop_at_;
}

void Exporter::run() {
  Poster poster(settings_.endpoint, headers_of(settings_));
  while (true) {
    const auto batch = take_batch();
    if (!batch.empty()) deliver(poster, batch);
    const std::lock_guard lock(mutex_);
    if (stop_at_ && (queue_.empty() || steady_clock::now() >= *stop_at_)) return;
  }
}

void Exporter::deliver(Poster& poster, const Batch& batch) {
  const auto body = encode(settings_.protocol, settings_.source, batch);
  const auto give_up = steady_clock::now() + patience;
  std::minstd_rand random(std::random_device{}());
  for (int failures = 1;; ++failures) {
    const auto answer = poster.post(body, settings_.timeout, [this] { return is_too_late(); });
    const auto verdict = verdict_on(answer.status);
    if (verdict == Verdict::taken) {
      exported_.fetch_add(batch.size(), std::memory_order_relaxed);
      return;
    }
    const auto wait = std::chrono::duration_cast<milliseconds>(pause_after(failures, pauses, random()));
    const auto asked = std::max<milliseconds>(wait, answer.retry_after);
    const bool late = steady_clock::now() + asked >= give_up;
    if (verdict == Verdict::refused || late || !pause(asked)) {
      dropped_failed_.fetch_add(batch.size(), std::memory_order_relaxed);
      // Without the URL, in which there may be a password.
      log::warn("the collector did not take {} spans: {}", batch.size(), answer.problem);
      return;
    }
  }
}

}  // namespace dg::otlp
