// The adapter against a real nats-server.
#include "bus/nats/jetstream.hpp"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <map>
#include <optional>

#include "base/json.hpp"
#include "base/system_world.hpp"
#include "bus/nats/testing/server.hpp"

namespace dg::bus::nats {
namespace {

using namespace std::chrono_literals;
using testing::Server;

class JetStreamTest : public ::testing::Test, protected SystemWorld {
 protected:
  explicit JetStreamTest(bool jetstream = true) : server_({.jetstream = jetstream}) { connect(); }

  void connect() {
    connection_ = Connection::open(env, {.urls = {server_.url()}}).value();
    stream_ = make_jetstream(env, *connection_, {.max_age = 24h, .max_bytes = 10'000'000});
    stream_->begin("db");
    EXPECT_TRUE(becomes([&] { return stream_->is_reachable(); }));
  }
  template <class Condition>
  bool becomes(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!condition() && std::chrono::steady_clock::now() < end) {
      io.restart();
      io.run_one_for(10ms);
    }
    return condition();
  }
  template <class T>
  T wait(Task<T> task) {
    std::optional<T> value;
    boost::asio::co_spawn(io.get_executor(), std::move(task),
                          [&](const std::exception_ptr&, T given) { value = std::move(given); });
    EXPECT_TRUE(becomes([&] { return value.has_value(); }));
    return std::move(*value);
  }
  static StreamEvent event(const std::string& key, int version, std::string data = "{}") {
    return {.key = key,
            .subject = {"run", key, "v" + std::to_string(version)},
            .message_id = key + ":" + std::to_string(version),
            .headers = {{"ce-id", key + ":" + std::to_string(version)}},
            .data = std::move(data)};
  }
  // A stored message, as JetStream's own answer about it.
  json::View stored(std::int64_t sequence) {
    answer_ = wait(connection_->request({.subject = "$JS.API.STREAM.MSG.GET." + stream_name("db"),
                                         .data = R"({"seq":)" + std::to_string(sequence) + "}"},
                                        timers->now() + 5s))
                  .value()
                  .data;
    return json::View(answer_)["message"];
  }

  Server server_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<EventStream> stream_;
  std::string answer_;
};

TEST_F(JetStreamTest, IsMadeOnceAndKnownAgain) {
  EXPECT_TRUE(wait(stream_->can_keep_streams()));
  EXPECT_FALSE(wait(stream_->look()).value());
  const auto made = wait(stream_->make());
  ASSERT_TRUE(made) << made.error().message;
  const auto again = wait(stream_->make());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->id, made->id);
  EXPECT_FALSE(made->id.empty());
  EXPECT_EQ(wait(stream_->look()).value()->id, made->id);
}

TEST_F(JetStreamTest, KeepsTheOrderOfEachKeyAndStoresAnIdOnce) {
  wait(stream_->make());
  std::vector<StreamEvent> events;
  for (int version = 1; version <= 40; ++version)
    for (const auto* const key : {"a", "b", "c"}) events.push_back(event(key, version));
  EXPECT_EQ(wait(stream_->publish(events)).value(), 120);
  EXPECT_LE(wait(stream_->publish(events)).value(), 120);
  EXPECT_EQ(wait(stream_->look()).value()->last_sequence, 120);
  std::map<std::string, int> last;
  for (std::int64_t sequence = 1; sequence <= 120; ++sequence) {
    const auto subject = stored(sequence)["subject"].string();
    ASSERT_TRUE(subject.starts_with("duragraph.events.db.run.")) << subject;
    const auto version = std::stoi(subject.substr(27));
    EXPECT_EQ(version, ++last[subject.substr(24, 1)]) << subject;
  }
  EXPECT_EQ(last["a"], 40);
}

TEST_F(JetStreamTest, AWipedServerHasNoStreamAndMakesAnother) {
  const auto made = wait(stream_->make()).value();
  EXPECT_TRUE(wait(stream_->publish({event("a", 1)})));
  server_.kill();
  ASSERT_TRUE(becomes([&] { return !stream_->is_reachable(); }));
  EXPECT_EQ(wait(stream_->publish({event("a", 2)})).error().code, Errc::unavailable);
  server_.wipe();
  server_.start();
  ASSERT_TRUE(becomes([&] { return stream_->is_reachable(); }));
  EXPECT_FALSE(wait(stream_->look()).value());
  EXPECT_EQ(wait(stream_->publish({event("a", 2)})).error().code, Errc::not_found);
  EXPECT_NE(wait(stream_->make()).value().id, made.id);
}

TEST_F(JetStreamTest, WhatTheServerRefusesIsTold) {
  const auto refused = make_jetstream(env, *connection_, {.replicas = 3});
  refused->begin("other");
  const auto made = wait(refused->make());
  ASSERT_FALSE(made);
  EXPECT_FALSE(made.error().message.empty());
  EXPECT_FALSE(wait(stream_->publish({event("a", 1, std::string(2'000'000, 'x'))})));
}

class WithoutJetStreamTest : public JetStreamTest {
 protected:
  WithoutJetStreamTest() : JetStreamTest(false) {}
};

TEST_F(WithoutJetStreamTest, ItIsForbidden) {
  const auto can = wait(stream_->can_keep_streams());
  ASSERT_FALSE(can);
  EXPECT_EQ(can.error().code, Errc::forbidden);
  EXPECT_TRUE(can.error().message.contains("--jetstream"));
}

}  // namespace
}  // namespace dg::bus::nats
