// What everybody in a simulated world shares: virtual time, what happens outside the server, chance that
// follows from the seed, and the first guarantee that was broken.
#pragma once

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/env.hpp"
#include "base/timed_calls.hpp"
#include "base/virtual_time.hpp"

namespace dg::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A guarantee that did not hold.
struct Violation {
  std::string guarantee;  // "G2"
  std::string text;       // what happened, with ids
  std::uint64_t step = 0;
  Duration at{};  // since the world began
};

// Numbers that follow from a seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  std::uint64_t next() { return random_.next(); }
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : random_.next() % n; }
  bool percent(std::uint64_t chance) { return below(100) < chance; }
  Duration between(Duration least, Duration most) {
    return least + Duration(below(static_cast<std::uint64_t>((most - least).count()) + 1));
  }

 private:
  SeededRandom random_;
};

class Stage {
 public:
  explicit Stage(std::uint64_t seed)
      : network(seed * 4 + 1), disk(seed * 4 + 2), people(seed * 4 + 3), instances(seed * 4 + 4) {}

  SteadyTime now() const { return now_; }
  Duration elapsed() const { return now_ - begin; }
  // Makes a call outside the server, in virtual time.
  Timers::Id after(Duration delay, std::function<void()> fn) {
    return calls_.add(now_ + delay, std::move(fn));
  }
  void cancel(Timers::Id id) { calls_.cancel(id); }
  SteadyTime earliest() const { return calls_.earliest(); }
  void make_first() {
    now_ = std::max(now_, calls_.earliest());
    calls_.take_first()();
  }
  void move_to(SteadyTime when) { now_ = std::max(now_, when); }

  // Something unusual goes on until `until`: promises about time are judged from then on.
  void disturb(Duration until) { calm_since_ = std::max(calm_since_, now_ + until); }
  SteadyTime calm_since() const { return calm_since_; }
  // After `time` without a disturbance `holds` must be true.
  void expect(Duration time, std::string guarantee, std::function<std::string()> broken) {
    after(time, [this, time, guarantee = std::move(guarantee), broken = std::move(broken)]() mutable {
      auto text = broken();
      if (text.empty()) return;
      if (now_ >= calm_since_ + time) return fail(std::move(guarantee), std::move(text));
      expect(calm_since_ + time - now_, std::move(guarantee), std::move(broken));
    });
  }

  void fail(std::string guarantee, std::string text) {
    if (!violation) violation = {std::move(guarantee), std::move(text), steps, elapsed()};
  }
  template <class... Args>
  void trace(fmt::format_string<Args...> format, Args&&... args) {
    if (tell)
      tell(fmt::format("{:>10} {}", elapsed().count(), fmt::format(format, std::forward<Args>(args)...)));
  }

  static constexpr SteadyTime begin{std::chrono::hours(1)};
  // Apart, so that one's fate does not hang on the others' use.
  Dice network, disk, people, instances;
  std::optional<Violation> violation;
  std::uint64_t steps = 0;
  std::function<void(std::string)> tell;  // told what happens, where somebody wants to know

 private:
  SteadyTime now_ = begin;
  SteadyTime calm_since_ = begin;
  TimedCalls calls_;
};

// A server's loop on a stage: it runs one thing at a time, so that the server may die between any two. Its
// clock is ahead of the stage's by its own offset, since no two machines' steady clocks have one origin.
class ServerTimers final : public Timers {
 public:
  ServerTimers(Stage& stage, Duration ahead) : stage_(stage), ahead_(ahead) {}
  SteadyTime now() const override { return stage_.now() + ahead_; }
  Id call_at(SteadyTime when, std::function<void()> fn) override { return calls_.add(when, std::move(fn)); }
  void cancel(Id id) override { calls_.cancel(id); }
  Executor executor() const override { return io_->get_executor(); }

  // Resumes whatever is first in line; false when nothing is ready.
  bool run_one() {
    if (io_->stopped()) io_->restart();
    return io_->poll_one() > 0;
  }
  // On the stage's clock.
  SteadyTime earliest() const {
    const auto own = calls_.earliest();
    return own == SteadyTime::max() ? own : own - ahead_;
  }
  void make_first() {
    stage_.move_to(earliest());
    calls_.take_first()();
  }
  // As when the process dies: nothing goes on.
  void abandon() {
    calls_.clear();
    io_ = std::make_unique<boost::asio::io_context>(1);
  }

 private:
  Stage& stage_;
  Duration ahead_;
  std::unique_ptr<boost::asio::io_context> io_ = std::make_unique<boost::asio::io_context>(1);
  TimedCalls calls_;
};

class StageClock final : public Clock {
 public:
  explicit StageClock(const Stage& stage, Duration ahead = {}) : stage_(stage), ahead_(ahead) {}
  WallTime now() const override {
    return from_micros(1'767'225'600'000'000) + stage_.now().time_since_epoch() + ahead_;
  }

 private:
  const Stage& stage_;
  Duration ahead_;
};

}  // namespace dg::simulation
