// The relay over an outbox and a stream in memory, in virtual time.
#include "app/relay.hpp"

#include <gmock/gmock.h>

#include <deque>

#include "base/virtual_time.hpp"

namespace dg::app {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

store::PublishedEvent event_of(std::int64_t version) {
  return {.event = {.id = "e",
                    .aggregate_id = "r",
                    .version = version,
                    .type = "E",
                    .payload = "{}",
                    .metadata = "{}",
                    .thread_id = {}}};
}

class MemoryOutbox final : public store::Outbox {
 public:
  Task<Result<store::OutboxState>> state() override { co_return known; }
  Task<Result<store::Relayed>> relay(const Publish& publish) override {
    ++steps;
    if (known.refilling || waiting.empty()) co_return store::Relayed{};
    co_return co_await give(waiting, publish);
  }
  Task<Status> begin_refill(WallTime since) override {
    refills.push_back(since);
    known.refilling = true;
    again.assign(stored.begin(), stored.end());
    co_return Status{};
  }
  Task<Status> set_stream(const store::StreamState& stream) override {
    known.stream = stream;
    co_return Status{};
  }
  Task<Result<store::Relayed>> refill(const Publish& publish) override {
    if (!known.refilling) co_return store::Relayed{};
    if (again.empty()) {
      known.refilling = false;
      co_return store::Relayed{.more = true};
    }
    co_return co_await give(again, publish);
  }
  Task<Result<store::Waiting>> trim(WallTime) override {
    ++trims;
    co_return store::Waiting{std::ssize(waiting), false};
  }

  void commit(std::int64_t version) {
    waiting.push_back(version);
    stored.push_back(version);
  }

  store::OutboxState known{.scope = "db"};
  std::deque<std::int64_t> waiting, stored, again;
  std::vector<WallTime> refills;
  int steps = 0;
  int trims = 0;

 private:
  static constexpr std::size_t at_once = 500;
  static Task<Result<store::Relayed>> give(std::deque<std::int64_t>& from, const Publish& publish) {
    const auto count = std::min<std::size_t>(from.size(), at_once);
    std::vector<store::PublishedEvent> events;
    for (std::size_t i = 0; i < count; ++i) events.push_back(event_of(from[i]));
    auto published = co_await publish(events);
    if (!published) co_return fail(std::move(published.error()));
    from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
    co_return store::Relayed{.events = count, .more = true};
  }
};

class MemoryStream final : public bus::EventStream {
 public:
  void begin(const std::string&) override {}
  bool is_reachable() const override { return reachable; }
  std::string why_unreachable() const override { return "away"; }
  std::size_t max_data() const override { return 100'000; }
  Task<Status> can_keep_streams() override { co_return Status{}; }
  Task<Result<std::optional<bus::StreamInfo>>> look() override {
    if (id.empty()) co_return std::nullopt;
    co_return bus::StreamInfo{id, std::ssize(messages)};
  }
  Task<Result<bus::StreamInfo>> make() override {
    if (id.empty()) id = "stream " + std::to_string(++made);
    co_return bus::StreamInfo{id, std::ssize(messages)};
  }
  Task<Result<std::int64_t>> publish(std::vector<bus::StreamEvent> events) override {
    if (!reachable) co_return fail(Errc::unavailable, "away");
    if (id.empty()) co_return fail(Errc::not_found, "no stream");
    for (const auto& event : events) {
      const bool replay = event.headers.back().first == "duragraph-replay";
      messages.push_back(event.message_id + (replay ? " again" : ""));
    }
    co_return std::ssize(messages);
  }
  void wipe() {
    id.clear();
    messages.clear();
  }

  bool reachable = true;
  std::string id;
  int made = 0;
  std::vector<std::string> messages;
};

class RelayTest : public ::testing::Test {
 protected:
  RelayTest() { spawn(world_.env.timers.executor(), "relay", relay_.run("db")); }

  VirtualWorld world_;
  MemoryOutbox outbox_;
  MemoryStream stream_;
  Metrics metrics_;
  Relay relay_{world_.env, outbox_, stream_, metrics_, {.retention = 24h}};
};

TEST_F(RelayTest, MakesTheStreamAndTellsWhatIsCommittedAtOnce) {
  world_.timers.run_for(1ms);
  EXPECT_EQ(outbox_.known.stream.id, "stream 1");
  outbox_.commit(1);
  relay_.wake();
  world_.timers.run_for(1ms);
  EXPECT_THAT(stream_.messages, ElementsAre("run:r:1"));
}

TEST_F(RelayTest, GathersWhatKeepsComing) {
  world_.timers.run_for(100ms);
  const auto steps = outbox_.steps;
  for (int i = 1; i <= 100; ++i) {
    outbox_.commit(i);
    relay_.wake();
    world_.timers.run_for(1ms);
  }
  EXPECT_GE(std::ssize(stream_.messages), 80);
  EXPECT_LE(outbox_.steps - steps, 10);
}

TEST_F(RelayTest, TellsManyWithoutAPause) {
  world_.timers.run_for(100ms);
  for (int i = 1; i <= 2000; ++i) outbox_.commit(i);
  relay_.wake();
  world_.timers.run_for(1ms);
  EXPECT_EQ(std::ssize(stream_.messages), 2000);
}

TEST_F(RelayTest, FindsWithinASecondWhatNobodyTold) {
  world_.timers.run_for(1ms);
  outbox_.commit(1);
  world_.timers.run_for(1s);
  EXPECT_THAT(stream_.messages, ElementsAre("run:r:1"));
}

TEST_F(RelayTest, WaitsForTheBrokerAndTellsThenWhatIsLeft) {
  world_.timers.run_for(1ms);
  stream_.reachable = false;
  outbox_.commit(1);
  relay_.wake();
  world_.timers.run_for(60s);
  EXPECT_THAT(stream_.messages, IsEmpty());
  stream_.reachable = true;
  world_.timers.run_for(6s);
  EXPECT_THAT(stream_.messages, ElementsAre("run:r:1"));
  EXPECT_EQ(outbox_.refills.size(), 1U);  // the first, of a stream that had not been there
}

TEST_F(RelayTest, FillsAStreamThatWasLostBeforeAnythingNew) {
  outbox_.commit(1);
  outbox_.commit(2);
  world_.timers.run_for(1s);
  stream_.wipe();
  outbox_.commit(3);
  world_.timers.run_for(10s);
  EXPECT_THAT(stream_.messages, ElementsAre("run:r:1 again", "run:r:2 again", "run:r:3 again", "run:r:3"));
  EXPECT_EQ(outbox_.known.stream.id, "stream 2");
  EXPECT_GE(outbox_.refills.back(), world_.env.clock.now() - 24h - 11s);
}

TEST_F(RelayTest, NoticesALossWithoutAnythingNew) {
  outbox_.commit(1);
  world_.timers.run_for(1s);
  stream_.wipe();
  world_.timers.run_for(31s);
  EXPECT_THAT(stream_.messages, ElementsAre("run:r:1 again"));
}

TEST_F(RelayTest, NoticesAStreamThatHasLostItsEnd) {
  outbox_.commit(1);
  outbox_.commit(2);
  world_.timers.run_for(1s);
  outbox_.known.stream.last_sequence = std::ssize(stream_.messages);
  stream_.messages.pop_back();
  world_.timers.run_for(31s);
  EXPECT_THAT(stream_.messages, ::testing::Contains("run:r:2 again"));
}

TEST_F(RelayTest, LooksAtTheSizeOfTheOutboxAlsoWhileTheBrokerIsAway) {
  stream_.reachable = false;
  world_.timers.run_for(5min);
  EXPECT_GE(outbox_.trims, 5);
  EXPECT_LE(outbox_.trims, 7);
}

}  // namespace
}  // namespace dg::app
