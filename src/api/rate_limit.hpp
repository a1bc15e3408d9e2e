// How many requests each client may make.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/async.hpp"
#include "net/networks.hpp"

namespace dg::api {

struct RateLimits {
  double rps = 10;              // requests per second of one client, above 0
  int burst = 20;               // that one client may make at once, 1 or more
  std::size_t entries = 65536;  // clients that are known at one time
};

// Whose requests are counted together. Of one size whatever it is made of, so that nobody's name takes
// memory.
class RateKey {
 public:
  static RateKey of_user(std::string_view user);
  // IPv6 counts by /64, which is what one subscriber has at least.
  static RateKey of_address(const net::Address& address);
  static RateKey of_worker(std::string_view session);
  static RateKey of_worker(const net::Address& address);
  auto operator<=>(const RateKey&) const = default;

 private:
  explicit RateKey(char kind) : bytes_{kind} {}
  static RateKey of_text(char kind, std::string_view text);
  void set_address(const net::Address& address);

  std::array<char, 33> bytes_;
};

// What came of one request.
struct Charge {
  bool refused = false;
  std::int64_t limit = 0;
  std::int64_t remaining = 0;    // further requests that would be let through now
  std::int64_t retry_after = 0;  // seconds, of a refusal: 1 or more
};

// A bucket of tokens for each client: it holds `burst`, gains `rps` each second, and a request takes one. A
// refused request takes none. Who has not been heard of has a full bucket, so a bucket that is full again is
// forgotten, and where more clients come than the table holds, the fullest is: that client gains the least by
// it.
class RateLimit {
 public:
  RateLimit(Timers& timers, const RateLimits& limits);
  ~RateLimit();

  Charge take(const RateKey& key);
  std::size_t entries() const;
  // Buckets that were forgotten before they were full.
  std::uint64_t evictions() const;
  const RateLimits& limits() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dg::api
