#include "api/rate_limit.hpp"

#include <algorithm>
#include <boost/multi_index/member.hpp>
#include <boost/multi_index/ordered_index.hpp>
#include <boost/multi_index_container.hpp>
#include <chrono>
#include <cmath>
#include <span>

#include "base/env.hpp"

namespace dg::api {
namespace {

namespace mi = boost::multi_index;

// A bucket is known by the time at which it is full again, in seconds. How much is missing follows from it.
struct Bucket {
  RateKey key;
  double full_at = 0;
};

// Ordered, not hashed: clients choose their keys and must not be able to make them collide.
using Buckets = mi::multi_index_container<
    Bucket, mi::indexed_by<mi::ordered_unique<mi::member<Bucket, RateKey, &Bucket::key>>,
                           mi::ordered_non_unique<mi::member<Bucket, double, &Bucket::full_at>>>>;

// Full buckets that one request forgets. More than one, so that they become fewer while requests come.
constexpr int forgotten_at_once = 2;

}  // namespace

RateKey RateKey::of_text(char kind, std::string_view text) {
  RateKey key(kind);
  std::ranges::copy(sha256_hex(text).substr(0, key.bytes_.size() - 1), key.bytes_.begin() + 1);
  return key;
}

void RateKey::set_address(const net::Address& address) {
  const auto copy = [this](char version, const auto& bytes, std::size_t count) {
    bytes_[1] = version;
    std::ranges::copy(std::span(bytes).first(count), bytes_.begin() + 2);
  };
  const auto plain = net::unmapped(address);
  if (plain.is_v4()) return copy('4', plain.to_v4().to_bytes(), 4);
  copy('6', plain.to_v6().to_bytes(), 8);
}

RateKey RateKey::of_user(std::string_view user) {
  return of_text('u', user);
}

RateKey RateKey::of_address(const net::Address& address) {
  RateKey key('a');
  key.set_address(address);
  return key;
}

RateKey RateKey::of_worker(std::string_view session) {
  return of_text('w', session);
}

RateKey RateKey::of_worker(const net::Address& address) {
  RateKey key('v');
  key.set_address(address);
  return key;
}

struct RateLimit::Impl {
  Impl(Timers& the_timers, const RateLimits& given)
      : timers(the_timers),
        limits(given),
        start(the_timers.now()),
        cost(1 / std::clamp(given.rps, 1e-6, 1e9)),
        capacity(cost * given.burst),
        slack(std::min(cost * 1e-6, 1e-6)) {}

  double now() const { return std::chrono::duration<double>(timers.now() - start).count(); }

  void forget_full(double time) {
    auto& by_time = buckets.get<1>();
    for (int i = 0; i < forgotten_at_once && !by_time.empty() && by_time.begin()->full_at <= time; ++i)
      by_time.erase(by_time.begin());
  }

  void add(const RateKey& key, double full_at) {
    if (buckets.size() >= limits.entries) {
      buckets.get<1>().erase(buckets.get<1>().begin());
      ++evictions;
    }
    buckets.insert({key, full_at});
  }

  Timers& timers;
  RateLimits limits;
  SteadyTime start;
  double cost;      // the seconds in which one token comes
  double capacity;  // and a whole bucket
  double slack;     // what sums of fractions may be wrong by
  Buckets buckets;
  std::uint64_t evictions = 0;
};

RateLimit::RateLimit(Timers& timers, const RateLimits& limits)
    : impl_(std::make_unique<Impl>(timers, limits)) {}
RateLimit::~RateLimit() = default;

Charge RateLimit::take(const RateKey& key) {
  auto& self = *impl_;
  const auto now = self.now();
  self.forget_full(now);
  const auto found = self.buckets.find(key);
  const bool known = found != self.buckets.end();
  const auto missing = self.cost + (known ? std::max(0.0, found->full_at - now) : 0.0);
  Charge out{.limit = self.limits.burst};
  if (const auto over = missing - self.capacity - self.slack; over > 0) {
    out.refused = true;
    out.retry_after = std::max<std::int64_t>(1, std::llround(std::ceil(over)));
    return out;
  }
  out.remaining = std::llround(std::floor((self.capacity - missing + self.slack) / self.cost));
  if (known) {
    self.buckets.modify(found, [&](Bucket& bucket) { bucket.full_at = now + missing; });
  } else {
    self.add(key, now + missing);
  }
  return out;
}

std::size_t RateLimit::entries() const {
  return impl_->buckets.size();
}

std::uint64_t RateLimit::evictions() const {
  return impl_->evictions;
}

const RateLimits& RateLimit::limits() const {
  return impl_->limits;
}

}  // namespace dg::api
