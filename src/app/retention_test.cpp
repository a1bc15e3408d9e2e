#include <gmock/gmock.h>

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::IsEmpty;
using ::testing::Not;

class RetentionTest : public AppTest {
 protected:
  RetentionTest() : AppTest({.resumable_frames_kept = hours(1)}) {}
  domain::Run create(bool temporary, bool resumable) {
    auto order = TestServer::order();
    order.request.temporary = temporary;
    order.request.stream_resumable = resumable;
    return server_.create(std::move(order));
  }
  bool thread_exists(const domain::Run& run) {
    return server_.get(server_.store().thread(run.thread_id)).has_value();
  }

  TestWorker worker_{server_, {.slots = 4}};
};

TEST_F(RetentionTest, ATemporaryThreadGoesWhenItsRunIsOver) {
  const auto run = create(true, false);
  server_.pass(minutes(10));
  EXPECT_TRUE(thread_exists(run)) << "not while it runs";
  worker_.complete(run, 1);
  server_.pass(minutes(1));
  EXPECT_TRUE(thread_exists(run)) << "readers may still come back";
  server_.pass(minutes(2));
  EXPECT_FALSE(thread_exists(run));
  EXPECT_FALSE(server_.exists(run));
  EXPECT_THAT(server_.frames(run), IsEmpty());
}

TEST_F(RetentionTest, AKeptThreadLosesOnlyTheFrames) {
  const auto run = create(false, false);
  worker_.say(run, 1, checkpoint("1", R"({"a":1})"));
  worker_.complete(run, 2);
  server_.pass(minutes(3));
  EXPECT_THAT(server_.frames(run), IsEmpty());
  EXPECT_EQ(server_.now(run).state, State::completed);
  EXPECT_TRUE(server_.get(server_.store().state(run.thread_id, "", "")));
}

TEST_F(RetentionTest, AResumableStreamIsKeptForItsTime) {
  const auto run = create(false, true);
  worker_.complete(run, 1);
  server_.pass(minutes(59));
  EXPECT_THAT(server_.frames(run), Not(IsEmpty()));
  server_.pass(minutes(2));
  EXPECT_THAT(server_.frames(run), IsEmpty());
}

TEST_F(RetentionTest, ATemporaryThreadIsNotTakenFromARunThatWasAdded) {
  const auto run = create(true, false);
  worker_.complete(run, 1);
  const auto added = server_.create(run.thread_id);
  server_.pass(minutes(5));
  EXPECT_TRUE(server_.exists(added));
  EXPECT_EQ(server_.now(added).state, State::in_progress);
  worker_.complete(added, 1);
  EXPECT_EQ(server_.now(added).state, State::completed);
}

}  // namespace
}  // namespace dg::app::testing
