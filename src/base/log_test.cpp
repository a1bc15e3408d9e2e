#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.hpp"

namespace dg::log {
namespace {

using testing::HasSubstr;
using testing::Not;

class LogTest : public testing::Test {
 public:
  ~LogTest() override {
    set_instance("");
    set_format(Format::text);
    set_level(Level::info);
  }

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

TEST_F(LogTest, FieldsFollowTheText) {
  const std::string nobody;
  const auto text = said_by([&] { warn({{"run_id", "r-1"}, {"user", nobody}}, "it took {} s", 3); });
  EXPECT_THAT(text, HasSubstr("it took 3 s run_id=r-1\n"));
}

TEST_F(LogTest, JsonIsAnObjectALine) {
  set_format(Format::json);
  set_instance("i-1");
  const auto text = said_by([] { error({{"run_id", "r-1"}, {"user", ""}}, "it said \"{}\"", "no\nmore"); });
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);
  const json::View line(text);
  EXPECT_EQ(line["level"].string(), "error");
  EXPECT_EQ(line["message"].string(), "it said \"no\nmore\"");
  EXPECT_EQ(line["run_id"].string(), "r-1");
  EXPECT_EQ(line["instance"].string(), "i-1");
  EXPECT_FALSE(line.find("user"));
  EXPECT_THAT(line["time"].string(), testing::MatchesRegex("....-..-..T..:..:..\\....Z"));
}

TEST_F(LogTest, JsonIsUtf8WhateverIsSaid) {
  set_format(Format::json);
  const auto text = said_by([] { info({{"run_id", "\xff"}}, "a \xc3\x28 b \xc3\xa4"); });
  EXPECT_TRUE(json::validate(text.substr(0, text.size() - 1), json::client_rules)) << text;
}

TEST_F(LogTest, LinesAreCountedByLevel) {
  const auto before = written(Level::warn);
  said_by([] {
    warn("one");
    debug("not written");
    warn("two");
  });
  EXPECT_EQ(written(Level::warn), before + 2);
}

TEST(LogDeathTest, AFatalEntryEndsTheProcess) {
  EXPECT_DEATH(fatal("the {} is broken", "promise"), "the promise is broken");
}

}  // namespace
}  // namespace dg::log
