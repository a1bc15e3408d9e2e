#include "api/rate_limit.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "base/virtual_time.hpp"

namespace dg::api {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

RateKey address(const char* text) {
  return RateKey::of_address(boost::asio::ip::make_address(text));
}

RateKey numbered(std::uint32_t number) {
  return RateKey::of_address(boost::asio::ip::address_v4(number));
}

class RateLimitTest : public ::testing::Test {
 protected:
  RateLimit limit(RateLimits limits) { return {world_.timers, limits}; }
  void pass(Duration time) { world_.timers.run_for(time); }
  // The requests that are let through at once, of a client that makes `tries`.
  static int let_through(RateLimit& limit, const RateKey& key, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += limit.take(key).refused ? 0 : 1;
    return count;
  }

  VirtualWorld world_;
  RateKey someone_ = RateKey::of_user("ann");
};

TEST_F(RateLimitTest, ABurstIsLetThroughAndThenTheRate) {
  auto limit = this->limit({.rps = 10, .burst = 20});
  EXPECT_EQ(let_through(limit, someone_, 100), 20);
  for (int i = 0; i < 50; ++i) {
    pass(milliseconds(100));
    EXPECT_EQ(let_through(limit, someone_, 5), 1) << i;
  }
  pass(seconds(100));
  EXPECT_EQ(let_through(limit, someone_, 100), 20) << "a bucket holds no more than the burst";
}

TEST_F(RateLimitTest, ItTellsWhatIsLeftAndWhenToComeBack) {
  auto limit = this->limit({.rps = 0.4, .burst = 3});
  for (const auto left : {2, 1, 0}) {
    const auto charge = limit.take(someone_);
    EXPECT_FALSE(charge.refused);
    EXPECT_EQ(charge.limit, 3);
    EXPECT_EQ(charge.remaining, left);
  }
  const auto refused = limit.take(someone_);
  EXPECT_TRUE(refused.refused);
  EXPECT_EQ(refused.limit, 3);
  EXPECT_EQ(refused.remaining, 0);
  EXPECT_EQ(refused.retry_after, 3) << "a token comes in 2.5 s";
  pass(milliseconds(2400));
  EXPECT_EQ(limit.take(someone_).retry_after, 1);
  pass(milliseconds(100));
  EXPECT_FALSE(limit.take(someone_).refused) << "what was refused cost nothing";
}

TEST_F(RateLimitTest, WhoWaitsAsLongAsToldIsLetThrough) {
  for (const double rps : {0.1, 0.3, 1.0, 3.0, 7.0, 1000.0}) {
    auto limit = this->limit({.rps = rps, .burst = 1});
    for (int i = 0; i < 100; ++i) {
      EXPECT_FALSE(limit.take(someone_).refused) << rps;
      const auto refused = limit.take(someone_);
      EXPECT_TRUE(refused.refused) << rps;
      pass(seconds(refused.retry_after));
    }
  }
}

TEST_F(RateLimitTest, ExtremesAreHeld) {
  auto large = limit({.rps = 1e300, .burst = std::numeric_limits<int>::max()});
  EXPECT_EQ(large.take(someone_).remaining, std::numeric_limits<int>::max() - 1);
  auto small = limit({.rps = 1e-300, .burst = 1});
  EXPECT_FALSE(small.take(someone_).refused);
  EXPECT_EQ(small.take(someone_).retry_after, 1'000'000);
}

TEST_F(RateLimitTest, EachClientHasABucketOfItsOwn) {
  auto limit = this->limit({.rps = 1, .burst = 2});
  for (const auto& key :
       {RateKey::of_user("ann"), RateKey::of_user("bob"), RateKey::of_worker("ann"), address("192.0.2.1"),
        address("192.0.2.2"), RateKey::of_worker(boost::asio::ip::make_address("192.0.2.1"))})
    EXPECT_EQ(let_through(limit, key, 5), 2);
  EXPECT_EQ(let_through(limit, RateKey::of_user("192.0.2.1"), 5), 2) << "a name is no address";
}

TEST_F(RateLimitTest, IPv6CountsByItsNetwork) {
  EXPECT_EQ(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
  EXPECT_EQ(address("::ffff:192.0.2.1"), address("192.0.2.1"));
  EXPECT_NE(address("::ffff:192.0.2.1"), address("192.0.2.2"));
  EXPECT_NE(address("::ffff:192.0.2.1"), address("::1"));
}

TEST_F(RateLimitTest, AFullBucketIsForgotten) {
  auto limit = this->limit({.rps = 10, .burst = 20});
  for (std::uint32_t i = 0; i < 1000; ++i) limit.take(numbered(i));
  EXPECT_EQ(limit.entries(), 1000u);
  pass(seconds(1));
  for (std::uint32_t i = 0; i < 1000; ++i) limit.take(someone_);
  EXPECT_EQ(limit.entries(), 1u);
  EXPECT_EQ(limit.evictions(), 0u);
}

TEST_F(RateLimitTest, ItsMemoryIsBoundedHoweverManyComeAndWhoAsksMostIsKept) {
  auto limit = this->limit({.rps = 1, .burst = 20, .entries = 100});
  EXPECT_EQ(let_through(limit, someone_, 30), 20);
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    EXPECT_FALSE(limit.take(numbered(i)).refused);
    ASSERT_LE(limit.entries(), 100u);
  }
  EXPECT_EQ(limit.entries(), 100u);
  EXPECT_EQ(limit.evictions(), 100'000u - 99u);
  EXPECT_TRUE(limit.take(someone_).refused) << "others cannot wash an empty bucket away";
}

}  // namespace
}  // namespace dg::api
