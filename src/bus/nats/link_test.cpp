#include "bus/nats/link.hpp"

#include <gtest/gtest.h>

#include "base/system_world.hpp"
#include "bus/nats/testing/server.hpp"

namespace dg::bus::nats {
namespace {

using namespace std::chrono_literals;

class LinkTest : public ::testing::Test, protected SystemWorld {
 protected:
  void SetUp() override { link_ = Link::start({.urls = {server_.url()}}, inbox_, 1).value(); }
  void TearDown() override {
    link_.reset();
    inbox_->close();
  }
  // Runs the loop until that many connections were made.
  [[nodiscard]] bool connects(std::uint64_t times) {
    return becomes([&] { return connection_ == times; });
  }
  template <class Condition>
  [[nodiscard]] bool becomes(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io.restart();
      io.run_one_for(10ms);
    }
    return true;
  }
  void take(const std::vector<Event>& events) {
    for (const auto& event : events) {
      if (const auto* const connected = std::get_if<Connected>(&event)) connection_ = connected->number;
      if (std::holds_alternative<Lost>(event)) ++losses_;
      if (std::holds_alternative<Missed>(event)) ++misses_;
      if (std::holds_alternative<Confirmed>(event)) ++confirmations_;
    }
  }
  void publish() {
    link_->hand_over({{.message = {.subject = "s", .data = "x"}, .connection = connection_}});
  }

  testing::Server server_;
  std::shared_ptr<Inbox> inbox_ =
      std::make_shared<Inbox>(io.get_executor(), 1 << 20, [this](auto events) { take(events); });
  std::unique_ptr<Link> link_;
  std::uint64_t connection_ = 0;
  int losses_ = 0, misses_ = 0, confirmations_ = 0;
};

TEST_F(LinkTest, WhatWasMeantForALostConnectionDoesNotGoOutOnTheNext) {
  ASSERT_TRUE(connects(1));
  server_.kill();
  ASSERT_TRUE(becomes([&] { return losses_ > 0; }));
  publish();
  server_.start();
  ASSERT_TRUE(connects(2));
  ASSERT_TRUE(becomes([&] { return misses_ > 0; }));
  EXPECT_EQ(link_->unsent(), 1U);
  publish();
  ASSERT_TRUE(becomes([&] { return link_->queued_bytes() == 0; }));
  ASSERT_TRUE(becomes([&, before = confirmations_] { return confirmations_ > before; }));
  EXPECT_EQ(link_->unsent(), 1U);
}

}  // namespace
}  // namespace dg::bus::nats
