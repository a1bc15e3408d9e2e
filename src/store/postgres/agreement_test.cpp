#include "store/postgres/agreement.hpp"

#include <gtest/gtest.h>

#include <array>

#include "store/postgres/testing/database.hpp"
#include "store/postgres/testing/loop.hpp"

namespace dg::store::postgres {
namespace {

using Answer = Agreement::Answer;

class AgreementTest : public ::testing::Test {
 protected:
  // An instance whose secret has that fingerprint.
  std::unique_ptr<Agreement> instance(std::string fingerprint) {
    return std::make_unique<Agreement>(loop_.env, database_.options(), "JWT_SECRET", std::move(fingerprint));
  }
  // What it is answered when nobody is just looking.
  Answer enter(Agreement& agreement) {
    while (true) {
      const auto answer = loop_.wait(agreement.enter());
      if (!answer) throw std::runtime_error(answer.error().message);
      if (*answer != Answer::later) return *answer;
    }
  }
  // The server notices the end of a session soon, not at once.
  Answer enter_when_alone(Agreement& agreement) {
    auto answer = enter(agreement);
    for (int left = 100; answer == Answer::differs && left > 0; --left) {
      loop_.wait(pause());
      answer = enter(agreement);
    }
    return answer;
  }

  testing::TestDatabase database_;
  testing::Loop loop_;

 private:
  Task<bool> pause() {
    co_await sleep_for(*loop_.timers, std::chrono::milliseconds(50));
    co_return true;
  }
};

TEST_F(AgreementTest, AllHaveTheSame) {
  const auto first = instance("a");
  const auto second = instance("a");
  const auto other = instance("b");
  EXPECT_EQ(enter(*first), Answer::held);
  EXPECT_EQ(enter(*second), Answer::held);
  EXPECT_EQ(enter(*other), Answer::differs);
  EXPECT_EQ(enter(*instance("a")), Answer::held);
}

TEST_F(AgreementTest, WhoIsAloneMayChangeIt) {
  auto first = instance("a");
  auto second = instance("a");
  const auto other = instance("b");
  EXPECT_EQ(enter(*first), Answer::held);
  EXPECT_EQ(enter(*second), Answer::held);
  first.reset();
  EXPECT_EQ(enter(*other), Answer::differs) << "one is left";
  second.reset();
  EXPECT_EQ(enter_when_alone(*other), Answer::held);
  EXPECT_EQ(enter(*instance("a")), Answer::differs);
}

TEST_F(AgreementTest, ManyMayStartAtOnce) {
  const std::array all{instance("a"), instance("a"), instance("a")};
  std::array<bool, 3> held{};
  const auto start = [&](std::size_t i) -> Task<void> {
    for (auto answer = co_await all.at(i)->enter(); answer; answer = co_await all.at(i)->enter()) {
      EXPECT_NE(*answer, Answer::differs);
      held.at(i) = *answer == Answer::held;
      if (held.at(i)) co_return;
    }
  };
  const auto everybody = [&]() -> Task<bool> {
    for (std::size_t i = 0; i < all.size(); ++i) spawn(loop_.io.get_executor(), "start", start(i));
    while (held != std::array{true, true, true})
      co_await sleep_for(*loop_.timers, std::chrono::milliseconds(5));
    co_return true;
  };
  EXPECT_TRUE(loop_.wait(everybody()));
}

}  // namespace
}  // namespace dg::store::postgres
