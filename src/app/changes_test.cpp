#include "app/changes.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace dg::app {
namespace {

// What comes of attempts that find somebody else there first, `conflicts` times; and how many there were.
std::pair<Result<int>, int> decide_beside(int conflicts) {
  boost::asio::io_context io;
  int attempts = 0;
  Result<int> decided = 0;
  const auto attempt = [&]() -> Task<Result<int>> {
    if (++attempts <= conflicts) co_return fail(Errc::conflict, "somebody was first");
    co_return attempts;
  };
  boost::asio::co_spawn(io.get_executor(), until_decided(attempt),
                        [&](const std::exception_ptr&, Result<int> result) { decided = std::move(result); });
  io.run();
  return {decided, attempts};
}

TEST(UntilDecided, AConflictIsDecidedAgain) {
  EXPECT_EQ(decide_beside(0).first.value(), 1);
  EXPECT_EQ(decide_beside(9).first.value(), 10);
}

TEST(UntilDecided, ABoundedNumberOfTimes) {
  const auto [decided, attempts] = decide_beside(1000);
  EXPECT_EQ(attempts, 10);
  ASSERT_FALSE(decided);
  EXPECT_EQ(decided.error().code, Errc::unavailable);
}

}  // namespace
}  // namespace dg::app
