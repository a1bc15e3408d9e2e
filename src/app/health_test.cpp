#include "app/health.hpp"

#include "app/app_testing.hpp"
#include "app/waiting_store.hpp"

namespace dg::app {
namespace {

using std::chrono::seconds;

// Asked how it does, it is silent until it is let go.
class SilentStore final : public testing::WaitingStore {
 public:
  explicit SilentStore(const Env& env)
      : WaitingStore(env, [](const Env& inner) { return testing::on_sqlite({.path = ":memory:"})(inner); }),
        go_on(env.timers) {}
  store::Reply<std::int64_t> ping() override {
    ++pings;
    co_await go_on.wait();
    co_return 1;
  }

  int pings = 0;
  Signal go_on;
};

class HealthTest : public ::testing::Test {
 protected:
  void ask() {
    spawn(server_.world.timers.executor(), "ask", hear(server_.app().health, answers_));
    server_.settle();
  }
  static Task<void> hear(Health& health, int& answers) {
    co_await health.database();
    ++answers;
  }

  SilentStore* store_ = nullptr;
  testing::TestServer server_{{}, [this](Env env) {
                                auto made = std::make_unique<SilentStore>(env);
                                store_ = made.get();
                                return made;
                              }};
  int answers_ = 0;
};

TEST_F(HealthTest, WhoeverAsksMeanwhileSharesTheAnswer) {
  for (int i = 0; i < 50; ++i) ask();
  server_.pass(seconds(3));
  EXPECT_EQ(answers_, 0);
  store_->go_on.notify_all();
  server_.settle();
  EXPECT_EQ(answers_, 50);
  EXPECT_EQ(store_->pings, 1) << "also where the answer took long";
}

TEST_F(HealthTest, AnAnswerCountsForASecond) {
  ask();
  store_->go_on.notify_all();
  server_.settle();
  ask();
  EXPECT_EQ(answers_, 2);
  server_.pass(seconds(1));
  ask();
  EXPECT_EQ(answers_, 2);
  EXPECT_EQ(store_->pings, 2);
  store_->go_on.notify_all();
  server_.settle();
}

}  // namespace
}  // namespace dg::app
