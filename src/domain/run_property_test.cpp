// What holds for every run, whatever is asked of it in whatever order.
#include <gtest/gtest.h>

#include <random>

#include "domain/run.hpp"
#include "domain/run_history.hpp"
#include "domain/run_testing.hpp"

namespace dg::domain {
namespace {

using testing::fields_of;

// One run that gets commands from everybody at random: owners new and old, clients, the sweeper.
class Chaos {
 public:
  explicit Chaos(std::uint32_t seed) : random_(seed) {
    Run empty;
    empty.id = "r1";
    const RunCreated created{
        "t1", "a1", "g1", testing::full_request(), "{}", now_ + std::chrono::seconds(roll(3))};
    run_ = empty;
    take(std::vector<RunEvent>{created});
  }

  void step() {
    now_ += std::chrono::milliseconds(roll(8000));
    if (auto events = command()) take(*std::move(events));
  }

  const Run& run() const { return run_; }

  // The state as a reader of the stored events computes it.
  Run replayed() const {
    Run run;
    run.id = "r1";
    for (const auto& stored : log_)
      run = evolve(run, *run_event_from(stored.type, stored.payload), stored.at);
    return run;
  }

 private:
  struct Stored {
    std::string type;
    std::string payload;
    WallTime at;
  };

  int roll(int sides) { return static_cast<int>(random_() % static_cast<std::uint32_t>(sides)); }

  RunEvents command() {
    // Mostly the newest owner speaks, sometimes one that was fenced off.
    const std::int64_t epoch = run_.epoch - (roll(4) == 0 ? roll(3) : 0);
    const auto action = roll(2) == 0 ? CancelAction::interrupt : CancelAction::rollback;
    switch (roll(16)) {
      case 0:
        return decide_complete(run_, epoch);
      case 1:
        return decide_pause(run_, epoch);
      case 2:
        return decide_fail(run_, epoch, {"ValueError", "no"});
      case 3:
        return decide_cancelled(run_);
      case 4:
        return decide_cancel(run_, action);
      case 5:
        return decide_resumed_by(run_, "r2");
      case 6:
        return roll(20) == 0 ? decide_delete(run_, "asked for") : RunEvents{};
      case 7:
        if (run_.state != RunState::in_progress || roll(4) != 0) return RunEvents{};
        return std::vector<RunEvent>{RunTimedOut{"too long"}};
      case 8:
        if (run_.state != RunState::in_progress) return RunEvents{};
        return std::vector<RunEvent>{CheckpointSaved{"c", "", "rev"}};
      case 9:
      case 10:
      case 11:
        return decide_lose_owner(run_, "gone", now_);
      default:
        return decide_start(run_, {"s" + std::to_string(roll(3)), "w", "rev", roll(9), roll(9)}, now_);
    }
  }

  void take(std::vector<RunEvent> events) {
    const Run before = run_;
    for (const auto& event : events) {
      const Run previous = run_;
      EXPECT_EQ(impossible_after(previous, false, event), std::nullopt) << type_of(event);
      run_ = evolve(run_, event, now_);
      log_.push_back({std::string(type_of(event)), payload_of(event), now_});
      EXPECT_GE(run_.epoch, previous.epoch);
      EXPECT_GE(run_.attempt, previous.attempt);
      if (is_terminal(previous.state)) EXPECT_EQ(run_.state, previous.state);
    }
    EXPECT_EQ(run_.version, before.version + static_cast<std::int64_t>(events.size()));
    EXPECT_LE(run_.attempt, max_attempts);
    // An owner that lost the run never has the newest epoch of one that runs.
    if (before.state == RunState::in_progress && run_.state == RunState::queued)
      EXPECT_GT(run_.epoch, before.epoch);
    if (before.state == RunState::queued && run_.state == RunState::in_progress)
      EXPECT_GT(run_.epoch, before.epoch);
    // A cancel that was promised is never forgotten.
    if (before.cancel != CancelAction::none) EXPECT_GE(run_.cancel, before.cancel);
    if (run_.cancel != CancelAction::none)
      EXPECT_TRUE(run_.state == RunState::in_progress || is_terminal(run_.state)) << to_string(run_.state);
    EXPECT_EQ(run_.error.has_value(), run_.state == RunState::failed || run_.state == RunState::timed_out);
  }

  std::mt19937 random_;
  WallTime now_ = from_micros(1'700'000'000'000'000);
  Run run_;
  std::vector<Stored> log_;
};

TEST(RunProperties, HoldForRandomCommands) {
  std::array<int, 7> ends{};
  for (std::uint32_t seed = 1; seed <= 1500; ++seed) {
    Chaos chaos(seed);
    for (int step = 0; step < 60; ++step) chaos.step();
    ++ends[static_cast<std::size_t>(chaos.run().state)];
    ASSERT_EQ(fields_of(chaos.replayed()), fields_of(chaos.run())) << "seed " << seed;
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  // The commands reach every end, so that the above is worth something.
  for (const auto state : {RunState::completed, RunState::failed, RunState::cancelled, RunState::timed_out})
    EXPECT_GT(ends[static_cast<std::size_t>(state)], 0) << to_string(state);
}

// Every command against every state: whatever is decided can be applied and stays within the rules.
TEST(RunProperties, NothingButATombstoneFollowsAnEnd) {
  const auto at = from_micros(5000);
  for (const RunEvent& end :
       std::vector<RunEvent>{RunCompleted{}, RunFailed{{"E", "m"}}, RunCancelled{}, RunTimedOut{"m"}}) {
    const auto run = evolve(testing::running_run(), end, at);
    for (const auto& events :
         {decide_start(run, {}, at), decide_complete(run, run.epoch), decide_pause(run, run.epoch),
          decide_fail(run, run.epoch, {}), decide_cancelled(run), decide_cancel(run, CancelAction::rollback),
          decide_lose_owner(run, "gone", at), decide_resumed_by(run, "r2")})
      EXPECT_TRUE(!events || events->empty());
  }
}

}  // namespace
}  // namespace dg::domain
