#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace dg::log {
namespace {

using testing::HasSubstr;
using testing::Not;

class LogTest : public testing::Test {
 public:
  ~LogTest() override { set_level(Level::info); }

 protected:
  // What `fn` writes to standard error.
  template <class Fn>
  std::string said_by(Fn fn) {
    testing::internal::CaptureStderr();
    fn();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, AnEntryIsOneLineWithItsLevel) {
  const auto text = said_by([] { warn("the worker {} is gone after {} s", "w-1", 10); });
  EXPECT_THAT(text, HasSubstr("the worker w-1 is gone after 10 s\n"));
  EXPECT_THAT(text, HasSubstr("warn"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);
}

TEST_F(LogTest, WhatIsBelowTheLevelIsNotWritten) {
  set_level(Level::warn);
  EXPECT_FALSE(enabled(Level::info));
  EXPECT_TRUE(enabled(Level::error));
  const auto text = said_by([] {
    debug("one");
    info("two");
    warn("three");
    error("four");
  });
  EXPECT_THAT(text, Not(HasSubstr("two")));
  EXPECT_THAT(text, HasSubstr("three"));
  EXPECT_THAT(text, HasSubstr("four"));
}

TEST_F(LogTest, OffWritesNothing) {
  set_level(Level::off);
  EXPECT_EQ(said_by([] { error("lost"); }), "");
}

TEST_F(LogTest, BracesOfUserTextAreText) {
  EXPECT_THAT(said_by([] { info("{}", R"({"a": "{}"})"); }), HasSubstr(R"({"a": "{}"})"));
}

TEST(LogDeathTest, AFatalEntryEndsTheProcess) {
  EXPECT_DEATH(fatal("the {} is broken", "promise"), "the promise is broken");
}

}  // namespace
}  // namespace dg::log
