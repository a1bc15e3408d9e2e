#include "base/env.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/virtual_time.hpp"

namespace dg {
namespace {

constexpr std::string_view dns = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

std::int64_t milliseconds_of(const std::string& uuid7) {
  return std::stoll(uuid7.substr(0, 8) + uuid7.substr(9, 4), nullptr, 16);
}

TEST(Uuid7, HasItsFormAndItsTime) {
  VirtualWorld world;
  const auto id = make_uuid7(world.env);
  EXPECT_TRUE(is_uuid(id)) << id;
  EXPECT_EQ(id[14], '7');
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos) << id;
  EXPECT_EQ(milliseconds_of(id), to_micros(world.clock.now()) / 1000);
}

TEST(Uuid7, SortsByTheTimeOfMaking) {
  VirtualWorld world;
  std::vector<std::string> ids;
  for (int i = 0; i < 5000; ++i) {
    ids.push_back(make_uuid7(world.env));
    world.timers.run_for(Duration(i % 7 == 0 ? 900 : 0));
  }
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), ids.size());
}

TEST(Uuid7, KeepsItsOrderWhenTheClockIsSetBack) {
  VirtualWorld world;
  const auto before = make_uuid7(world.env);
  world.clock.step(-std::chrono::hours(1));
  EXPECT_GT(make_uuid7(world.env), before);
}

TEST(Uuid7, SortsBehindOneOfAnotherClock) {
  VirtualWorld here(1), ahead(2), behind(3);
  ahead.clock.step(std::chrono::hours(1));
  behind.clock.step(-std::chrono::hours(1));
  EXPECT_EQ(milliseconds_of(make_uuid7_above(here.env, make_uuid7(behind.env))),
            to_micros(here.clock.now()) / 1000);
  auto last = make_uuid7(ahead.env);
  for (int i = 0; i < 5000; ++i) {
    const auto next = make_uuid7_above(here.env, last);
    ASSERT_TRUE(is_uuid(next));
    ASSERT_GT(next, last);
    last = next;
  }
}

TEST(Uuid7, FollowsFromTheSeedAlone) {
  VirtualWorld one(7);
  VirtualWorld two(7);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(make_uuid7(one.env), make_uuid7(two.env));
}

// More ids than a millisecond has fractions run into the next one, and stay in order.
TEST(Uuid7, StaysInOrderWhenTheClockStandsStill) {
  VirtualWorld world;
  std::string last;
  for (int i = 0; i < 10000; ++i) {
    const auto id = make_uuid7(world.env);
    ASSERT_GT(id, last);
    last = id;
  }
}

TEST(Uuid5, FollowsTheKnownVectors) {
  EXPECT_EQ(make_uuid5(dns, "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
  EXPECT_EQ(make_uuid5(dns, "python.org"), "886313e1-3b8a-5372-9b90-0c9aee199e5d");
  EXPECT_EQ(make_uuid5("6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "python.org"), make_uuid5(dns, "python.org"));
  // What LangGraph's own server gives the assistant of the graph "agent".
  EXPECT_EQ(make_uuid5("6ba7b821-9dad-11d1-80b4-00c04fd430c8", "agent"),
            "fe096781-5601-53d2-b2f6-0d3403f7e9ca");
}

TEST(Uuid, IsRecognised) {
  EXPECT_TRUE(is_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8"));
  EXPECT_TRUE(is_uuid("6BA7B810-9DAD-11D1-80B4-00C04FD430C8"));
  for (const std::string_view text :
       {"", "6ba7b810", "6ba7b810-9dad-11d1-80b4-00c04fd430c", "6ba7b810-9dad-11d1-80b4-00c04fd430c88",
        "6ba7b8109-dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430cg",
        "6ba7b810+9dad-11d1-80b4-00c04fd430c8", "{6ba7b810-9dad-11d1-80b4-00c04fd430}"})
    EXPECT_FALSE(is_uuid(text)) << text;
}

TEST(Time, IsWrittenInUtcWithMicroseconds) {
  EXPECT_EQ(to_rfc3339(from_micros(0)), "1970-01-01T00:00:00.000000+00:00");
  EXPECT_EQ(to_rfc3339(from_micros(1'769'860'800'000'001)), "2026-01-31T12:00:00.000001+00:00");
  EXPECT_EQ(to_rfc3339(from_micros(-1)), "1969-12-31T23:59:59.999999+00:00");
  EXPECT_EQ(to_micros(from_micros(1'769'860'800'000'001)), 1'769'860'800'000'001);
}

TEST(Secrets, AreHexadecimalAndDiffer) {
  const auto random = make_system_random();
  const auto one = make_secret(*random, 32);
  EXPECT_EQ(one.size(), 64u);
  EXPECT_EQ(one.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(one, make_secret(*random, 32));
}

TEST(Secrets, AreComparedWhole) {
  EXPECT_TRUE(equal_secrets("abc", "abc"));
  EXPECT_TRUE(equal_secrets("", ""));
  EXPECT_FALSE(equal_secrets("abc", "abd"));
  EXPECT_FALSE(equal_secrets("abc", "ab"));
  EXPECT_FALSE(equal_secrets("", "a"));
}

TEST(Sha256, FollowsTheKnownVector) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace dg
