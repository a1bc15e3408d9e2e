#include "store/sqlite/series.hpp"

#include <gtest/gtest.h>

#include <random>

#include "base/system_world.hpp"
#include "store/sqlite/migrations.hpp"

namespace dg::store::sqlite {
namespace {

class SeriesWriterTest : public testing::Test {
 protected:
  SeriesWriterTest() : db_(std::move(*Database::open({.path = ":memory:"}))) {
    EXPECT_TRUE(migrate(*db_, world_.env.clock));
  }

  static SeriesKey key(int thread) { return {std::to_string(thread), "", "messages", SeriesKind::blob}; }

  // 600 letters that are like those of no other number.
  static std::string sentence(int number) {
    std::mt19937 random(static_cast<unsigned>(number));
    std::string out(600, ' ');
    for (char& letter : out) letter = static_cast<char>('a' + random() % 26);
    return out;
  }

  std::int64_t log_size() {
    Query query(*db_, "SELECT sum(size) FROM series_parts");
    return query.next() ? query.integer() : -1;
  }

  SystemWorld world_;
  std::unique_ptr<Database> db_;
};

TEST_F(SeriesWriterTest, KeepsNoMoreThanItsBound) {
  constexpr std::size_t bound = 200000;
  SeriesWriter writer(*db_, bound);
  std::vector<std::pair<delta::Ref, std::string>> expected;
  for (int round = 0; round < 5; ++round) {
    for (int thread = 0; thread < 50; ++thread) {
      const std::string value(10000, static_cast<char>('a' + round));
      expected.emplace_back(writer.add(key(thread), value, NamedBy::checkpoint), value);
      EXPECT_LE(writer.held_bytes(), bound);
    }
  }
  for (const auto& [ref, value] : expected) EXPECT_EQ(read_series_value(*db_, ref), value);

  // Reading in again what was let go counts too, where nothing of it changes.
  SeriesWriter again(*db_, bound);
  for (int thread = 0; thread < 50; ++thread) {
    again.add(key(thread), std::string(10000, 'e'), NamedBy::checkpoint);
    EXPECT_LE(again.held_bytes(), bound);
  }
  again.forget();
  EXPECT_EQ(again.held_bytes(), 0U);
  EXPECT_TRUE(db_->take_status());
}

TEST_F(SeriesWriterTest, WhatWasLetGoIsComparedAllTheSame) {
  SeriesWriter writer(*db_, 1);
  std::string lists[2];
  for (int turn = 0; turn < 100; ++turn) {
    for (int thread = 0; thread < 2; ++thread) {
      lists[thread] += sentence(turn * 2 + thread);
      writer.add(key(thread), lists[thread], NamedBy::checkpoint);
    }
  }
  EXPECT_LE(log_size(), static_cast<std::int64_t>(lists[0].size() + lists[1].size()));
  EXPECT_TRUE(db_->take_status());
}

TEST_F(SeriesWriterTest, AThreadIsForgottenAlone) {
  SeriesWriter writer(*db_);
  for (int thread = 0; thread < 3; ++thread)
    writer.add(key(thread), std::string(1000, 'a'), NamedBy::checkpoint);
  writer.forget("1");
  EXPECT_EQ(writer.held_bytes(), 2000U);
  EXPECT_TRUE(db_->take_status());
}

}  // namespace
}  // namespace dg::store::sqlite
