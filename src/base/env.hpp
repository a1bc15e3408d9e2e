// Where everything above gets time and randomness from, so that the whole core can run under a
// simulated clock with a seed.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/async.hpp"

namespace dg {

// Time of day, for people and for sorting; never for deciding whether something expired.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;

  // The first stamp from `least` on that is larger than every one given out before. Ids are made from
  // stamps, so they sort by time of making whichever thread makes them.
  std::uint64_t take_stamp(std::uint64_t least) {
    auto last = last_stamp_.load(std::memory_order_relaxed);
    while (!last_stamp_.compare_exchange_weak(last, std::max(least, last + 1), std::memory_order_relaxed)) {
    }
    return std::max(least, last + 1);
  }

 protected:
  // Those to come are not compared with those before.
  void forget_stamps() { last_stamp_ = 0; }

 private:
  std::atomic<std::uint64_t> last_stamp_ = 0;
};

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
};

std::unique_ptr<Clock> make_system_clock();
// Reads the kernel's generator, so that secrets may be made from it.
std::unique_ptr<Random> make_system_random();

// The ports of one event loop. Not owned.
struct Env {
  Clock& clock;
  Random& random;
  Timers& timers;
};

// A UUID of version 7 (RFC 9562): ids made with one clock sort by time of making, also within a
// millisecond.
std::string make_uuid7(const Env& env);
// One that also sorts behind `above`, a UUID of version 7 that another clock may have made.
std::string make_uuid7_above(const Env& env, std::string_view above);
// A name-based UUID of version 5 (RFC 9562) in namespace `ns`, itself a UUID as text.
std::string make_uuid5(std::string_view ns, std::string_view name);
bool is_uuid(std::string_view text);
// `bytes` random bytes as hexadecimal digits.
std::string make_secret(Random& random, std::size_t bytes);

// RFC 3339 in UTC with microseconds: 2026-01-31T12:00:00.000000+00:00.
std::string to_rfc3339(WallTime time);
std::int64_t to_micros(WallTime time);
WallTime from_micros(std::int64_t micros);

// Compares secrets in a time that depends on their lengths alone.
bool equal_secrets(std::string_view a, std::string_view b);
// SHA-256 as hexadecimal digits.
std::string sha256_hex(std::string_view text);

}  // namespace dg
