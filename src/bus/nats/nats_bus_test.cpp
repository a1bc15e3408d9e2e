// The adapter against a real nats-server.
#include "bus/nats/nats_bus.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/system_world.hpp"
#include "bus/nats/testing/server.hpp"

namespace dg::bus::nats {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Server;

constexpr auto guard = 30s;

bool has(const std::vector<std::string>& texts, std::string_view text) {
  return std::ranges::find(texts, text) != texts.end();
}

// One instance: a bus on a connection of its own.
struct Instance {
  Instance(const Env& env, Options options, Limits limits = {}, BusLimits bus_limits = {})
      : connection(Connection::open(env, std::move(options), limits).value()),
        bus(env, *connection, bus_limits) {}
  std::unique_ptr<Connection> connection;
  NatsBus bus;
};

class NatsBusTest : public ::testing::Test, protected SystemWorld {
 protected:
  // Runs the loop until it holds.
  template <class Condition>
  [[nodiscard]] bool becomes(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + guard;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io.restart();
      io.run_one_for(10ms);
    }
    return true;
  }
  // Connected, and all that it told the others has arrived there.
  std::shared_ptr<Instance> make_instance(const std::string& scope = "db", BusLimits limits = {},
                                          Limits of_connection = {}) {
    auto made = std::make_shared<Instance>(env, Options{.urls = {server_.url()}}, of_connection, limits);
    made->bus.begin(scope);
    EXPECT_TRUE(becomes([&] { return made->connection->round_trip() > Duration{}; }));
    for (const auto& other : instances_[scope]) {
      int heard = 0;
      const auto probe = other->bus.subscribe(Topic::reply, "probe", [&](auto&, auto&) { ++heard; });
      EXPECT_TRUE(becomes([&] { return heard > 0; }));
      heard = 0;
      made->bus.send(Topic::reply, "probe", "x");
      EXPECT_TRUE(becomes([&] { return heard > 0; }));
    }
    instances_[scope].push_back(made);
    return made;
  }
  Bus::Listener noting(std::vector<std::string>& heard) {
    return [&heard](const std::string& id, const std::string& body) { heard.push_back(id + ":" + body); };
  }
  // Listens, and waits until the subscription holds; what was heard until then is forgotten.
  [[nodiscard]] Subscription listen(Instance& instance, Topic topic, const std::string& id,
                                    std::vector<std::string>& heard) {
    auto subscription = instance.bus.subscribe(topic, id, noting(heard));
    EXPECT_TRUE(becomes([&] { return !heard.empty(); }));
    heard.clear();
    return subscription;
  }

  Server server_;
  std::map<std::string, std::vector<std::shared_ptr<Instance>>> instances_;
};

TEST_F(NatsBusTest, WakesItselfAtOnceAndOthersOverTheNetwork) {
  const auto a = make_instance(), b = make_instance();
  std::vector<std::string> at_a, at_b, at_other;
  const auto sa = listen(*a, Topic::run, "r", at_a), sb = listen(*b, Topic::run, "r", at_b);
  const auto other = listen(*b, Topic::run, "other", at_other);
  a->bus.publish(Topic::run, "r");
  EXPECT_THAT(at_a, ElementsAre("r:"));
  ASSERT_TRUE(becomes([&] { return !at_b.empty(); }));
  EXPECT_THAT(at_b, ElementsAre("r:"));
  EXPECT_THAT(at_other, IsEmpty());
  // What b says comes after whatever a hears of itself.
  b->bus.publish(Topic::run, "r");
  ASSERT_TRUE(becomes([&] { return at_a.size() > 1; }));
  EXPECT_THAT(at_a, ElementsAre("r:", "r:"));
}

TEST_F(NatsBusTest, AMessageReachesOthersOnly) {
  const auto a = make_instance(), b = make_instance();
  std::vector<std::string> at_a, at_b, all_b;
  const auto sa = listen(*a, Topic::owner, "s", at_a), sb = listen(*b, Topic::owner, "s", at_b);
  const auto all = listen(*b, Topic::owner, "", all_b);
  a->bus.send(Topic::owner, "s", "look");
  a->bus.send(Topic::owner, "a graph. of > mine", "x");
  ASSERT_TRUE(becomes([&] { return all_b.size() == 2 && !at_b.empty(); }));
  EXPECT_THAT(at_b, ElementsAre("s:look"));
  EXPECT_THAT(all_b, ElementsAre("s:look", "a graph. of > mine:x"));
  EXPECT_THAT(at_a, IsEmpty());
}

TEST_F(NatsBusTest, KeepsTheOrderOfAKeyAndWakesAfterTheMessage) {
  const auto a = make_instance(), b = make_instance();
  std::vector<std::string> heard;
  const auto subscription = listen(*b, Topic::run, "r", heard);
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    a->bus.send(Topic::run, "r", std::to_string(i));
    a->bus.publish(Topic::run, "r");
    expected.insert(expected.end(), {"r:" + std::to_string(i), "r:"});
  }
  ASSERT_TRUE(becomes([&] { return heard.size() >= expected.size(); }));
  EXPECT_EQ(heard, expected);
}

TEST_F(NatsBusTest, WakeUpsOfOneTurnAreOne) {
  const auto a = make_instance(), b = make_instance();
  std::vector<std::string> heard;
  const auto subscription = listen(*b, Topic::queue, "", heard);
  const auto before = a->connection->load().sent;
  for (int i = 0; i < 1000; ++i) a->bus.publish(Topic::queue, i % 2 == 0 ? "graph" : "");
  EXPECT_EQ(a->connection->load().sent - before, 2U);
  ASSERT_TRUE(becomes([&] { return heard.size() == 2; }));
  a->bus.publish(Topic::queue, "graph");  // in another turn
  ASSERT_TRUE(becomes([&] { return heard.size() == 3; }));
}

TEST_F(NatsBusTest, ASubscriptionIsWokenWhenItHoldsAndNotFromInside) {
  const auto a = make_instance(), b = make_instance();
  std::vector<std::string> held, heard;
  const auto first = listen(*b, Topic::run, "before", held);
  // From the first wake-up on nothing is lost: what a publishes then arrives.
  bool published = false;
  const auto subscription =
      b->bus.subscribe(Topic::run, "r", [&](const std::string&, const std::string& body) {
        heard.push_back(body);
        if (!std::exchange(published, true)) a->bus.send(Topic::run, "r", "now");
      });
  EXPECT_THAT(heard, IsEmpty());
  ASSERT_TRUE(becomes([&] { return heard.size() == 2; }));
  EXPECT_THAT(heard, ElementsAre("", "now"));
  // A further listener of the same key is woken too.
  std::vector<std::string> further;
  const auto second = b->bus.subscribe(Topic::run, "r", noting(further));
  EXPECT_THAT(further, IsEmpty());
  ASSERT_TRUE(becomes([&] { return !further.empty(); }));
}

TEST_F(NatsBusTest, ListensAtNatsAsLongAsSomebodyListensHere) {
  const auto a = make_instance();
  std::vector<std::string> heard;
  std::optional first = listen(*a, Topic::run, "r", heard);
  const auto base = a->connection->load().subscriptions;
  std::optional second = a->bus.subscribe(Topic::run, "r", noting(heard));
  EXPECT_EQ(a->connection->load().subscriptions, base);
  first.reset();
  EXPECT_EQ(a->connection->load().subscriptions, base);
  second.reset();
  EXPECT_EQ(a->connection->load().subscriptions, base - 1);
  const auto again = listen(*a, Topic::run, "r", heard);
  EXPECT_EQ(a->connection->load().subscriptions, base);
}

TEST_F(NatsBusTest, LargeMessagesAreSplitAndPutTogether) {
  const auto a = make_instance(), b = make_instance();
  std::vector<std::string> heard;
  const auto subscription = listen(*b, Topic::reply, "i", heard);
  std::string body(5'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); i += 1000) body[i] = static_cast<char>('a' + i / 1000 % 26);
  a->bus.send(Topic::reply, "i", body);
  a->bus.publish(Topic::reply, "i");
  ASSERT_TRUE(becomes([&] { return heard.size() == 2; }));
  EXPECT_TRUE(heard[0] == "i:" + body);
  EXPECT_EQ(heard[1], "i:");
}

TEST_F(NatsBusTest, AMessageBeyondTheBoundIsRefusedAndCounted) {
  const auto a = make_instance("db", {.message = 1000}), b = make_instance();
  std::vector<std::string> heard;
  const auto subscription = listen(*b, Topic::reply, "i", heard);
  a->bus.send(Topic::reply, "i", std::string(1001, 'x'));
  a->bus.send(Topic::reply, "i", "small");
  ASSERT_TRUE(becomes([&] { return !heard.empty(); }));
  EXPECT_THAT(heard, ElementsAre("i:small"));
  EXPECT_EQ(a->bus.messages_dropped(), 1U);
}

TEST_F(NatsBusTest, DeploymentsDoNotHearOneAnother) {
  const auto a = make_instance("one"), b = make_instance("two"), c = make_instance("one");
  std::vector<std::string> at_b, at_c;
  const auto sb = listen(*b, Topic::run, "r", at_b), sc = listen(*c, Topic::run, "r", at_c);
  a->bus.send(Topic::run, "r", "of one");
  ASSERT_TRUE(becomes([&] { return !at_c.empty(); }));
  b->bus.send(Topic::run, "r", "nobody's");
  a->bus.send(Topic::run, "r", "of one too");
  ASSERT_TRUE(becomes([&] { return at_c.size() > 1; }));
  EXPECT_THAT(at_c, ElementsAre("r:of one", "r:of one too"));
  EXPECT_THAT(at_b, IsEmpty());
}

TEST_F(NatsBusTest, EverybodyIsWokenWhileNatsIsAwayAndWhenItIsBack) {
  const auto a = make_instance(), b = make_instance();
  std::vector<std::string> heard;
  const auto subscription = listen(*b, Topic::run, "r", heard);
  server_.kill();
  ASSERT_TRUE(becomes([&] { return !b->bus.is_open() && !a->bus.is_open(); }));
  heard.clear();
  ASSERT_TRUE(becomes([&] { return heard.size() >= 2; }));
  EXPECT_FALSE(b->connection->why_not_connected().empty());
  const auto late = b->bus.subscribe(Topic::run, "late", noting(heard));
  server_.start();
  ASSERT_TRUE(becomes([&] { return a->bus.is_open() && b->bus.is_open(); }));
  heard.clear();
  ASSERT_TRUE(becomes([&] { return has(heard, "r:") && has(heard, "late:"); }));
  // Until the other's subscriptions hold it says what may have been missed; from then on messages arrive.
  heard.clear();
  ASSERT_TRUE(becomes([&] {
    a->bus.send(Topic::run, "r", "again");
    a->bus.send(Topic::run, "late", "too");
    return has(heard, "r:again") && has(heard, "late:too");
  }));
  EXPECT_EQ(b->connection->load().connections, 2U);
}

TEST_F(NatsBusTest, OthersAreWokenWhenSomebodyCouldNotTellThem) {
  const auto b = make_instance();
  std::vector<std::string> heard;
  const auto subscription = listen(*b, Topic::run, "r", heard);
  // A new instance may be one that was cut off: its own publishing since then has reached nobody.
  const auto a = make_instance();
  EXPECT_THAT(heard, ElementsAre("r:"));
}

TEST_F(NatsBusTest, AServerThatIsSilentCountsAsLost) {
  const auto a = make_instance();
  server_.pause();
  EXPECT_TRUE(becomes([&] { return !a->bus.is_open(); }));
  server_.resume();
  EXPECT_TRUE(becomes([&] { return a->bus.is_open(); }));
}

TEST_F(NatsBusTest, WithoutAScopeItReachesNobodyAndWakesEverybody) {
  Instance a(env, {.urls = {server_.url()}});
  std::vector<std::string> heard;
  const auto subscription = a.bus.subscribe(Topic::run, "r", noting(heard));
  a.bus.publish(Topic::run, "r");
  a.bus.send(Topic::run, "r", "to nobody");
  EXPECT_FALSE(a.bus.is_open());
  EXPECT_THAT(heard, ElementsAre("r:"));
  ASSERT_TRUE(becomes([&] { return heard.size() >= 3; }));
  a.bus.begin("db");
  ASSERT_TRUE(becomes([&] { return a.bus.is_open(); }));
}

TEST_F(NatsBusTest, WhatIsBeyondTheInboxIsDroppedAndEverybodyIsWoken) {
  const auto a = make_instance(), b = make_instance("db", {}, {.incoming_bytes = 100'000});
  std::vector<std::string> heard, other;
  const auto subscription = listen(*b, Topic::run, "r", heard);
  const auto quiet = listen(*b, Topic::sessions, "", other);
  for (int i = 0; i < 3; ++i) a->bus.send(Topic::run, "r", std::string(90'000, 'x'));
  // The loop is busy with something else until all have come in.
  io.restart();
  io.poll_one();
  const auto end = std::chrono::steady_clock::now() + guard;
  while (b->connection->load().dropped == 0 && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  EXPECT_GT(b->connection->load().dropped, 0U);
  ASSERT_TRUE(becomes([&] { return !other.empty(); }));
}

TEST_F(NatsBusTest, AsksOneOfSeveralServersThatIsThere) {
  Server gone;
  gone.kill();
  Instance a(env, {.urls = {gone.url(), server_.url()}});
  a.bus.begin("db");
  EXPECT_TRUE(becomes([&] { return a.bus.is_open(); }));
}

TEST_F(NatsBusTest, IsLetInByUserAndByToken) {
  Server with_user({.arguments = {"--user", "dg", "--pass", "s3cret"}});
  Server with_token({.arguments = {"--auth", "t0ken"}});
  Instance user(env, {.urls = {with_user.url()}, .user = "dg", .password = "s3cret"});
  Instance token(env, {.urls = {with_token.url()}, .token = "t0ken"});
  Instance in_url(env, {.urls = {"nats://dg:s3cret@" + with_user.address()}});
  Instance wrong(env, {.urls = {with_token.url()}, .token = "wr0ng"});
  for (auto* const instance : {&user, &token, &in_url}) {
    instance->bus.begin("db");
    EXPECT_TRUE(becomes([&] { return instance->bus.is_open(); }));
  }
  ASSERT_TRUE(becomes([&] { return wrong.connection->why_not_connected().contains("uthorization"); }))
      << wrong.connection->why_not_connected();
  EXPECT_FALSE(wrong.connection->why_not_connected().contains("wr0ng"));
}

TEST_F(NatsBusTest, OptionsThatCannotBeUsedAreRefused) {
  const auto refused = Connection::open(env, {.urls = {server_.url()}, .tls_ca = "/dev/null"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace dg::bus::nats
