#include "app/lines.hpp"

#include <gtest/gtest.h>

#include "base/virtual_time.hpp"

namespace dg::app {
namespace {

Task<void> stand(Lines& lines, Timers& timers, std::string key, int number, std::vector<int>& order) {
  const auto turn = co_await lines.enter(std::move(key));
  order.push_back(number);
  co_await sleep_for(timers, std::chrono::seconds(1));
  order.push_back(-number);
}

Task<bool> stood(Lines& lines, Timers& timers, std::string key, int number, std::vector<int>& order) {
  co_await stand(lines, timers, std::move(key), number, order);
  co_return true;
}

TEST(Lines, LetOneAtATimePastInTheOrderOfTheirComing) {
  VirtualWorld world;
  auto& timers = world.env.timers;
  Lines lines(timers);
  std::vector<int> order;
  for (const int number : {1, 2, 3})
    spawn(timers.executor(), "stand", stand(lines, timers, "a", number, order));
  world.wait(stood(lines, timers, "a", 4, order));
  EXPECT_EQ(order, (std::vector{1, -1, 2, -2, 3, -3, 4, -4}));
  EXPECT_EQ(lines.size(), 0U);
}

TEST(Lines, KeepKeysApart) {
  VirtualWorld world;
  auto& timers = world.env.timers;
  Lines lines(timers);
  std::vector<int> order;
  spawn(timers.executor(), "stand", stand(lines, timers, "a", 1, order));
  world.wait(stood(lines, timers, "b", 2, order));
  EXPECT_EQ(order, (std::vector{1, 2, -1, -2}));
}

}  // namespace
}  // namespace dg::app
