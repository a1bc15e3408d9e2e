#include "app/streams.hpp"

#include <gmock/gmock.h>

#include "app/app_testing.hpp"

namespace dg::app::testing {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Follows a run from a frame on until it has no more to say.
class Reader {
 public:
  Reader(TestServer& server, std::string run_id, std::int64_t from = 0) : server_(server), from_(from) {
    spawn(server.world.timers.executor(), "reader", read(std::move(run_id)));
  }
  const std::vector<std::string>& seen() const { return seen_; }
  const std::vector<std::int64_t>& numbers() const { return numbers_; }
  bool ended() const { return ended_; }

 private:
  Task<void> read(std::string run_id) {
    Streams::Reader reader(server_.app().streams, std::move(run_id), from_);
    while (!ended_) {
      auto page = co_await reader.next(server_.world.timers.now() + seconds(5));
      if (!page) co_return;
      for (const auto& frame : page->frames) {
        numbers_.push_back(frame.number);
        seen_.push_back(frame.frame.event + " " + frame.frame.data);
      }
      ended_ = page->ended;
    }
  }

  TestServer& server_;
  std::int64_t from_;
  std::vector<std::string> seen_;
  std::vector<std::int64_t> numbers_;
  bool ended_ = false;
};

class StreamsTest : public AppTest {
 public:
  ~StreamsTest() override { worker_.complete(run_, next_); }

 protected:
  void say(std::string json) { worker_.say(run_, next_++, values(std::move(json))); }
  void end() { worker_.complete(run_, next_++); }

  TestWorker worker_{server_};
  domain::Run run_ = server_.create();
  std::string metadata_ = "metadata {\"run_id\":\"" + run_.id + "\",\"attempt\":1}";
  std::int64_t next_ = 1;
};

TEST_F(StreamsTest, AReaderGetsEachFrameWhenItIsDurable) {
  Reader reader(server_, run_.id);
  server_.settle();
  EXPECT_THAT(reader.seen(), ElementsAre(metadata_));
  say("1");
  EXPECT_THAT(reader.seen(), ElementsAre(metadata_, "values 1"));
  say("2");
  end();
  EXPECT_THAT(reader.seen(), ElementsAre(metadata_, "values 1", "values 2"));
  EXPECT_THAT(reader.numbers(), ElementsAre(0, 1, 2));
  EXPECT_TRUE(reader.ended());
}

TEST_F(StreamsTest, TwoReadersGetTheSame) {
  Reader one(server_, run_.id);
  say("1");
  Reader two(server_, run_.id);
  say("2");
  end();
  EXPECT_EQ(one.seen(), two.seen());
  EXPECT_EQ(one.numbers(), two.numbers());
  EXPECT_THAT(one.numbers(), ElementsAre(0, 1, 2));
  EXPECT_TRUE(one.ended() && two.ended());
}

TEST_F(StreamsTest, AReaderThatComesBackGetsWhatItMissed) {
  say("1");
  say("2");
  Reader back(server_, run_.id, 2);
  say("3");
  end();
  EXPECT_THAT(back.seen(), ElementsAre("values 2", "values 3"));
  EXPECT_THAT(back.numbers(), ElementsAre(2, 3));
}

TEST_F(StreamsTest, ALateReaderGetsEverything) {
  say("1");
  end();
  Reader late(server_, run_.id);
  server_.settle();
  EXPECT_THAT(late.seen(), ElementsAre(metadata_, "values 1"));
  EXPECT_TRUE(late.ended());
}

TEST_F(StreamsTest, AReaderBeyondTheEndIsToldThatItEnded) {
  end();
  Reader beyond(server_, run_.id, 4711);
  server_.settle();
  EXPECT_THAT(beyond.seen(), IsEmpty());
  EXPECT_TRUE(beyond.ended());
}

TEST_F(StreamsTest, NothingNewByTheDeadlineIsAnEmptyPage) {
  const auto deadline = server_.world.timers.now() + seconds(3);
  Streams::Reader reader(server_.app().streams, run_.id, 1);
  const auto page = server_.get(reader.next(deadline));
  EXPECT_THAT(page.frames, IsEmpty());
  EXPECT_FALSE(page.ended);
  EXPECT_EQ(server_.world.timers.now(), deadline);
}

TEST_F(StreamsTest, AReaderOutlivesARetryOnAnotherWorker) {
  Reader reader(server_, run_.id);
  say("1");
  worker_.die();
  TestWorker other(server_);
  other.say(other.leased(), 1, values("again"));
  other.complete(other.leased(), 2);
  EXPECT_THAT(reader.seen(),
              ElementsAre(metadata_, "values 1", "metadata {\"run_id\":\"" + run_.id + "\",\"attempt\":2}",
                          "values again"));
  EXPECT_TRUE(reader.ended());
}

TEST_F(StreamsTest, AReaderFindsAnEndThatNobodyToldItOf) {
  Reader reader(server_, run_.id);
  server_.lose_wakeups = true;
  end();
  EXPECT_FALSE(reader.ended());
  server_.world.timers.run_for(seconds(65));
  EXPECT_TRUE(reader.ended());
}

TEST_F(StreamsTest, AnErrorComesBeforeTheEnd) {
  Reader reader(server_, run_.id);
  worker_.complete(run_, next_++, Outcome::error);
  EXPECT_EQ(reader.seen().back(), R"(error {"error":"ValueError","message":"no"})");
  EXPECT_TRUE(reader.ended());
}

TEST_F(StreamsTest, AReaderOfADeletedRunIsToldSo) {
  std::optional<Errc> answer;
  spawn(server_.world.timers.executor(), "reader",
        [](App& app, std::string id, std::optional<Errc>& out) -> Task<void> {
          Streams::Reader reader(app.streams, std::move(id), 1);
          const auto page = co_await reader.next(SteadyTime::max());
          out = page ? Errc::internal : page.error().code;
        }(server_.app(), run_.id, answer));
  server_.settle();
  server_.get(server_.app().runs.cancel(the_server, run_.id, domain::CancelAction::rollback));
  worker_.complete(run_, 1, Outcome::cancelled);
  EXPECT_EQ(answer, Errc::not_found);
}

// Two readers keep what was said last in memory; who begins before that, or within, joins them.
TEST_F(StreamsTest, AReaderThatJoinsOthersMissesNothing) {
  Reader one(server_, run_.id);
  Reader two(server_, run_.id);
  for (const auto* json : {"1", "2", "3"}) say(json);
  Reader from_start(server_, run_.id);
  Reader from_within(server_, run_.id, 2);
  say("4");
  end();
  EXPECT_THAT(from_start.seen(), ElementsAre(metadata_, "values 1", "values 2", "values 3", "values 4"));
  EXPECT_EQ(from_start.numbers(), one.numbers());
  EXPECT_THAT(from_within.seen(), ElementsAre("values 2", "values 3", "values 4"));
  EXPECT_EQ(two.seen(), one.seen());
}

// More than the memory of a run holds: what a slow reader missed comes from the store.
TEST_F(StreamsTest, ASlowReaderFallsBackToTheStore) {
  std::vector<std::int64_t> numbers;
  Streams::Reader slow(server_.app().streams, run_.id, 0);
  const auto read = [&] {
    const auto page = server_.get(slow.next(server_.world.timers.now()));
    for (const auto& frame : page.frames) numbers.push_back(frame.number);
    return !page.frames.empty();
  };
  EXPECT_TRUE(read());
  Reader fast(server_, run_.id);
  Reader other(server_, run_.id);
  const std::string large = "\"" + std::string(100'000, 'x') + "\"";
  for (int i = 0; i < 10; ++i) say(large);
  while (read()) {
  }
  EXPECT_THAT(numbers, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_EQ(fast.numbers(), numbers);
  end();
}

TEST_F(StreamsTest, AReaderThatWaitsWhenTheServerDiesIsLetGo) {
  Reader reader(server_, run_.id);
  server_.settle();
  server_.kill();
  server_.pass(seconds(60));
  EXPECT_FALSE(reader.ended());
  server_.start();
  ASSERT_TRUE(worker_.connect({{run_.id, run_.epoch}}));
  Reader back(server_, run_.id);
  end();
  EXPECT_THAT(back.seen(), ElementsAre(metadata_));
  EXPECT_TRUE(back.ended());
}

TEST_F(StreamsTest, NothingIsKeptForRunsThatNobodyReads) {
  {
    Reader reader(server_, run_.id);
    server_.settle();
    EXPECT_EQ(server_.app().streams.live_runs(), 1u);
    end();
  }
  EXPECT_EQ(server_.app().streams.live_runs(), 0u);
}

}  // namespace
}  // namespace dg::app::testing
