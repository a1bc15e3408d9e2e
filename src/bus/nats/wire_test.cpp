#include "bus/nats/wire.hpp"

#include <gmock/gmock.h>

#include <set>

namespace dg::bus::nats {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t small = 1000;

std::string bytes(std::size_t count) {
  std::string out(count, '\0');
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<char>(i * 31 % 251);
  return out;
}

TEST(WireTest, TheTokenOfAnIdIsOneTokenWhateverItsCharacters) {
  EXPECT_EQ(token_of("0198c5a2-7f00-7000-8000-000000000001"), "0198c5a2-7f00-7000-8000-000000000001");
  std::set<std::string> tokens;
  const std::vector<std::string> ids{
      "", "a", "a b", "a.b", "*", ">", "ä", "a\r\nPUB x 0\r\n", std::string(65, 'a'), "~a"};
  for (const auto& id : ids) {
    const auto token = token_of(id);
    EXPECT_THAT(token, ::testing::Not(::testing::ContainsRegex("[ .*>\r\n]"))) << id;
    EXPECT_FALSE(token.empty());
    tokens.insert(token);
  }
  EXPECT_EQ(tokens.size(), ids.size());
}

TEST(WireTest, APayloadIsReadAsItWasWritten) {
  const auto body = bytes(300);
  const auto payload = encode({.id = "a graph",
                               .sender = ~std::uint64_t{5},
                               .message = 1ULL << 60,
                               .index = 7,
                               .count = 9,
                               .body = body});
  const auto part = decode(payload);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->id, "a graph");
  EXPECT_EQ(part->sender, ~std::uint64_t{5});
  EXPECT_EQ(part->message, 1ULL << 60);
  EXPECT_EQ(part->index, 7U);
  EXPECT_EQ(part->count, 9U);
  EXPECT_EQ(part->body, body);
}

TEST(WireTest, WhatIsNoPayloadIsNotTaken) {
  const auto payload = encode({.id = "id", .body = "body"});
  for (std::size_t size = 0; size < payload.size() - 4; ++size)
    EXPECT_FALSE(decode(std::string_view(payload).substr(0, size))) << size;
  EXPECT_FALSE(decode(encode({.id = "id", .index = 1, .count = 1})));
  EXPECT_FALSE(decode("x" + payload.substr(1)));
}

class AssemblerTest : public ::testing::Test {
 protected:
  // What comes of the payloads in that order.
  std::vector<std::string> add(const std::vector<std::string>& payloads, std::uint64_t subscription = 1) {
    std::vector<std::string> bodies;
    for (const auto& payload : payloads)
      if (auto body = assembler_.add(subscription, *decode(payload), now_))
        bodies.push_back(std::move(*body));
    return bodies;
  }
  SteadyTime now_{};
  Assembler assembler_{{.message = 10'000, .total = 15'000, .time = 10s}};
};

TEST_F(AssemblerTest, PutsTogetherWhatWasSplit) {
  for (const std::size_t size : {0, 1, 960, 971, 972, 5000, 9999}) {
    const auto payloads = split("r", 1, size, bytes(size), small);
    for (const auto& payload : payloads) EXPECT_LE(payload.size(), small);
    EXPECT_THAT(add(payloads), ::testing::ElementsAre(bytes(size))) << size;
  }
  EXPECT_EQ(assembler_.bytes(), 0U);
  EXPECT_EQ(assembler_.dropped(), 0U);
}

TEST_F(AssemblerTest, KeepsSendersAndSubscriptionsApart) {
  const auto one = split("r", 1, 1, bytes(1500), small), two = split("r", 2, 1, bytes(1600), small);
  EXPECT_TRUE(add({one[0], two[0]}).empty());
  EXPECT_TRUE(add({one[0]}, 2).empty());
  EXPECT_THAT(add({one[1], two[1]}), ::testing::ElementsAre(bytes(1500), bytes(1600)));
  EXPECT_THAT(add({one[1]}, 2), ::testing::ElementsAre(bytes(1500)));
}

TEST_F(AssemblerTest, AMessageThatLostAPartIsDroppedAndTheNextIsNot) {
  const auto broken = split("r", 1, 1, bytes(3500), small), whole = split("r", 1, 2, bytes(2500), small);
  EXPECT_TRUE(add({broken[0], broken[1], broken[3]}).empty());
  EXPECT_EQ(assembler_.dropped(), 1U);
  EXPECT_TRUE(add({broken[0], broken[1]}).empty());
  EXPECT_THAT(add(whole), ::testing::ElementsAre(bytes(2500)));
  EXPECT_EQ(assembler_.dropped(), 2U);
  EXPECT_EQ(assembler_.bytes(), 0U);
}

TEST_F(AssemblerTest, BoundsSizeTotalAndTime) {
  EXPECT_TRUE(add(split("r", 1, 1, bytes(10'001), small)).empty());
  EXPECT_LE(assembler_.bytes(), 10'000U);
  for (std::uint64_t sender = 2; sender < 30; ++sender)
    add({split("r", sender, 1, bytes(1500), small).front()});
  EXPECT_LE(assembler_.bytes(), 15'000U);
  now_ += 11s;
  assembler_.expire(now_);
  EXPECT_EQ(assembler_.bytes(), 0U);
}

}  // namespace
}  // namespace dg::bus::nats
