#include "store/postgres/gathered_read.hpp"

#include <gmock/gmock.h>

#include "store/postgres/testing/database.hpp"
#include "store/postgres/testing/loop.hpp"

namespace dg::store::postgres {
namespace {

using ::testing::ElementsAre;

std::vector<std::vector<std::string>> asked;  // the keys of each statement

// The lengths of the keys; one that is "bad" fails its statement.
Task<Outcome<std::vector<std::int64_t>>> read_lengths(Connection& db, std::vector<std::string> keys) {
  asked.push_back(keys);
  auto rows = co_await db.query(
      "SELECT length(k)::bigint / CASE WHEN k = 'bad' THEN 0 ELSE 1 END FROM unnest($1::text[]) AS k", keys);
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<std::int64_t> out;
  while (rows->next()) out.push_back(rows->integer());
  co_return out;
}

class GatheredReadTest : public ::testing::Test {
 protected:
  GatheredReadTest() { asked.clear(); }

  // What each of the keys gets, all asked for at once.
  std::vector<Result<std::int64_t>> get(std::vector<std::string> keys) {
    std::vector<Result<std::int64_t>> out(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i)
      spawn(loop_.io.get_executor(), "test", store_answer(reads_.get(keys[i]), out[i]));
    loop_.io.restart();
    loop_.io.run();
    return out;
  }
  static Task<void> store_answer(Task<Result<std::int64_t>> read, Result<std::int64_t>& out) {
    out = co_await std::move(read);
  }

  testing::TestDatabase database_;
  testing::Loop loop_;
  Pool pool_{*loop_.timers, database_.options(), 4, 10};
  GatheredRead<std::int64_t> reads_{pool_, *loop_.random, &read_lengths, 100};
};

TEST_F(GatheredReadTest, WhatIsAskedForMeanwhileIsReadTogetherAndOnce) {
  std::vector<std::string> keys;
  for (int i = 0; i < 90; ++i) keys.emplace_back(static_cast<std::size_t>(i % 45), 'x');
  const auto answers = get(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(answers[i].value(), std::ssize(keys[i]));
  EXPECT_LE(asked.size(), 5U);
  for (const auto& statement : asked) EXPECT_LE(statement.size(), 32U);
  EXPECT_EQ(reads_.waiting(), 0U);
  EXPECT_LE(pool_.counts().opened, 2U);
}

TEST_F(GatheredReadTest, WhatIsAskedForLaterIsReadLater) {
  EXPECT_EQ(loop_.wait(reads_.get("a")).value(), 1);
  EXPECT_EQ(loop_.wait(reads_.get("a")).value(), 1);
  EXPECT_THAT(asked, ElementsAre(ElementsAre("a"), ElementsAre("a")));
}

TEST_F(GatheredReadTest, OneThatFailsFailsNoOther) {
  const auto answers = get({"a", "bb", "bad", "cccc", "\xff"});
  EXPECT_EQ(answers[0].value(), 1);
  EXPECT_EQ(answers[1].value(), 2);
  ASSERT_FALSE(answers[2]);
  EXPECT_EQ(answers[2].error().code, Errc::internal);
  EXPECT_EQ(answers[3].value(), 4);
  EXPECT_EQ(answers[4].value(), 0);  // no text, so there is nothing
}

TEST_F(GatheredReadTest, MoreThanMayWaitAreRefused) {
  GatheredRead<std::int64_t> few(pool_, *loop_.random, &read_lengths, 3);
  int refused = 0;
  const auto count = [&](std::string key) -> Task<void> {
    const auto answer = co_await few.get(std::move(key));
    if (!answer && answer.error().code == Errc::unavailable) ++refused;
  };
  // Two are under way, and three wait.
  for (int i = 0; i < 7; ++i) spawn(loop_.io.get_executor(), "test", count(std::to_string(i)));
  loop_.io.restart();
  loop_.io.run();
  EXPECT_EQ(refused, 2);
}

TEST_F(GatheredReadTest, ADatabaseThatIsAwayIsUnavailableToAll) {
  auto options = database_.options();
  set_value(options.conninfo, "host", "127.0.0.1");
  set_value(options.conninfo, "port", "1");
  Pool nowhere(*loop_.timers, options, 4, 10);
  nowhere.close();
  GatheredRead<std::int64_t> away(nowhere, *loop_.random, &read_lengths, 100);
  const auto answer = loop_.wait(away.get("a"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::unavailable);
}

}  // namespace
}  // namespace dg::store::postgres
