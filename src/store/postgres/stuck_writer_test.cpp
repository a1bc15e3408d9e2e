// What becomes of commits whose transaction gets no further.
#include <gmock/gmock.h>

#include <deque>
#include <set>

#include "store/postgres/testing/writing.hpp"
#include "store/postgres/writer.hpp"

namespace dg::store::postgres {
namespace {

using testing::appending;
using testing::WriterTest;

// A writer whose transactions get no further, while somebody else holds what they need.
class StuckWriterTest : public WriterTest {
 protected:
  using Answer = std::optional<Result<Committed>>;

  void start(Writer::Limits limits, std::chrono::milliseconds statement_timeout = std::chrono::seconds(60)) {
    const ConnectOptions options{.conninfo = database_.conninfo(), .statement_timeout = statement_timeout};
    writer_ = std::make_shared<Writer>(loop_.env, options, limits);
    submit("first", answers_.emplace_back());
    ASSERT_TRUE(becomes([&] { return answers_.back().has_value(); }));
    ASSERT_TRUE(*answers_.back());
    other_.run("BEGIN");
    other_.run("LOCK TABLE event_streams IN ACCESS EXCLUSIVE MODE");
  }
  void submit(const std::string& id, Answer& answer) {
    Writer::Done done = [&answer](Result<Committed> given) { answer = std::move(given); };
    ASSERT_TRUE(writer_->submit(appending(id, 0), done));
  }
  // Runs the loop until it holds.
  template <class Condition>
  [[nodiscard]] bool becomes(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop_.io.restart();
      loop_.io.run_one_for(std::chrono::milliseconds(10));
    }
    return true;
  }
  // Whether a transaction waits for what is held.
  bool is_stuck() {
    return other_.value(
               "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = "
               "'event_streams'::regclass") == "1";
  }
  std::size_t queued() const {
    StoreLoad load;
    writer_->add_load(load);
    return load.queued_commits;
  }

  testing::Session other_ = database_.owner();
  std::deque<Answer> answers_;
  std::shared_ptr<Writer> writer_;
};

TEST_F(StuckWriterTest, WhatWaitsBehindATransactionIsRefusedInTime) {
  start({.deadline = std::chrono::milliseconds(200), .least = std::chrono::seconds(60)});
  auto& under_way = answers_.emplace_back();
  submit("under way", under_way);
  ASSERT_TRUE(becomes([&] { return is_stuck(); }));
  auto& behind = answers_.emplace_back();
  submit("behind", behind);
  EXPECT_EQ(queued(), 1U);
  ASSERT_TRUE(becomes([&] { return behind.has_value(); }));
  ASSERT_FALSE(*behind);
  EXPECT_EQ(behind->error().code, Errc::unavailable);
  EXPECT_EQ(queued(), 0U);
  EXPECT_FALSE(under_way);
  other_.run("ROLLBACK");
  ASSERT_TRUE(becomes([&] { return under_way.has_value(); }));
  EXPECT_TRUE(*under_way);
}

TEST_F(StuckWriterTest, ATransactionIsGivenUpInTime) {
  start({.deadline = std::chrono::milliseconds(100), .least = std::chrono::milliseconds(100)});
  auto& given_up = answers_.emplace_back();
  submit("given up", given_up);
  ASSERT_TRUE(becomes([&] { return given_up.has_value(); }));
  ASSERT_FALSE(*given_up);
  EXPECT_EQ(given_up->error().code, Errc::unavailable);
  EXPECT_FALSE(is_stuck()) << "its session waits on";
  other_.run("ROLLBACK");
  auto& next = answers_.emplace_back();
  submit("next", next);
  ASSERT_TRUE(becomes([&] { return next.has_value(); }));
  EXPECT_TRUE(*next);
  EXPECT_EQ(other_.value("SELECT string_agg(aggregate_id, ' ' ORDER BY aggregate_id) FROM events"),
            "first next");
}

// One whose statements the server gives up: by their own time, or by that for a lock.
class ImpatientWriterTest : public StuckWriterTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void start(Writer::Limits limits) {
    database_.superuser().run(
        fmt::format("ALTER ROLE {} SET lock_timeout = '{}'", database_.name(), GetParam()));
    StuckWriterTest::start(limits, std::chrono::milliseconds(100));
  }
  // Whether so many statements have waited, one after the other.
  bool have_waited(std::size_t statements) {
    for (const auto& row :
         watcher_.run("SELECT query_start FROM pg_stat_activity WHERE datname = current_database() AND "
                      "wait_event_type = 'Lock'"))
      seen_.insert(row[0]);
    return seen_.size() >= statements;
  }

 private:
  testing::Session watcher_ = database_.superuser();
  std::set<std::string> seen_;
};

TEST_P(ImpatientWriterTest, WhatTookTooLongIsRepeated) {
  start({});
  auto& answer = answers_.emplace_back();
  submit("repeated", answer);
  ASSERT_TRUE(becomes([&] { return have_waited(3); }));
  EXPECT_FALSE(answer);
  other_.run("ROLLBACK");
  ASSERT_TRUE(becomes([&] { return answer.has_value(); }));
  EXPECT_TRUE(*answer);
  EXPECT_EQ(other_.value("SELECT count(*) FROM events WHERE aggregate_id = 'repeated'"), "1");
}

TEST_P(ImpatientWriterTest, WhatTookTooLongToTheEndWasNotDone) {
  start({.deadline = std::chrono::milliseconds(500)});
  auto& answer = answers_.emplace_back();
  submit("not done", answer);
  ASSERT_TRUE(becomes([&] { return answer.has_value(); }));
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().code, Errc::unavailable) << answer->error().message;
}

INSTANTIATE_TEST_SUITE_P(Writer, ImpatientWriterTest, ::testing::Values("0", "50ms"));

}  // namespace
}  // namespace dg::store::postgres
