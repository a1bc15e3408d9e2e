// Reads by key, many of which are asked for at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/postgres/pool.hpp"

namespace dg::store::postgres {

// What is asked for while reads of its kind are under way is read by one statement after them: round trips
// and wake-ups of processes cost several times what finding a row does. What is asked for alone is read at
// once. Pool and random numbers outlive it and its reads; it is destroyed while nobody waits.
template <class T>
class GatheredRead {
  struct State;

 public:
  // Reads what each of the keys names, in their order; no key is there twice.
  using ReadAll = Task<Outcome<std::vector<T>>> (*)(Connection& db, std::vector<std::string> keys);

  GatheredRead(Pool& pool, Random& random, ReadAll read_all, std::size_t max_waiting)
      : state_(std::make_shared<State>(pool, random, read_all, max_waiting)) {}

  // The state as it is after this call. Fails as read() does, and when too many wait.
  Task<Result<T>> get(std::string key) { return get_from(state_, std::move(key)); }
  // How many wait for their read to begin.
  std::size_t waiting() const { return state_->waiting; }

 private:
  struct Batch {
    explicit Batch(Timers& timers) : deadline(timers.now() + ReadLimits{}.deadline), answered(timers) {}

    // The key's place among them.
    std::size_t add(std::string key) {
      const auto place = static_cast<std::size_t>(std::ranges::find(keys, key) - keys.begin());
      if (place == keys.size()) {
        keys.push_back(std::move(key));
        askers.push_back(0);
      }
      ++askers[place];
      ++asked;
      return place;
    }
    Result<T> answer(std::size_t place) {
      auto& answer = answers[place];
      return --askers[place] == 0 ? std::move(answer) : answer;
    }

    SteadyTime deadline;
    std::vector<std::string> keys;
    std::vector<std::size_t> askers;  // of each key
    std::size_t asked = 0;
    std::vector<Result<T>> answers;  // none until all are there
    Signal answered;
  };

  // More keys would make an answer that takes long, for all who wait for it.
  static constexpr std::size_t most_keys = 32;
  // While one is on its way back, the database reads another.
  static constexpr std::size_t most_running = 2;

  struct State {
    State(Pool& p, Random& r, ReadAll all, std::size_t most)
        : pool(p), random(r), read_all(all), max_waiting(most) {}

    std::shared_ptr<Batch> open_batch() {
      if (queue.empty() || queue.back()->keys.size() == most_keys)
        queue.push_back(std::make_shared<Batch>(pool.timers()));
      ++waiting;
      return queue.back();
    }
    std::shared_ptr<Batch> take_batch() {
      auto batch = std::move(queue.front());
      queue.pop_front();
      waiting -= batch->asked;
      return batch;
    }

    Pool& pool;
    Random& random;
    ReadAll read_all;
    std::size_t max_waiting;
    std::deque<std::shared_ptr<Batch>> queue;  // those that are not under way
    std::size_t running = 0;
    std::size_t waiting = 0;
  };

  static Task<Result<T>> get_from(std::shared_ptr<State> state, std::string key) {
    if (state->waiting >= state->max_waiting)
      co_return fail(Errc::unavailable, "the database has more reads waiting than it may; try again");
    const auto batch = state->open_batch();
    const auto place = batch->add(std::move(key));
    if (state->running < most_running) {
      ++state->running;
      spawn(state->pool.timers().executor(), "postgres read", run(state));
    }
    while (batch->answers.empty()) co_await batch->answered.wait();
    co_return batch->answer(place);
  }

  static Task<void> run(std::shared_ptr<State> state) {
    while (!state->queue.empty()) {
      const auto batch = state->take_batch();
      batch->answers = co_await answers_to(*state, batch->keys, batch->deadline);
      batch->answered.notify_all();
    }
    --state->running;
  }

  static Task<std::vector<Result<T>>> answers_to(State& state, std::vector<std::string> keys,
                                                 SteadyTime deadline) {
    const auto all = [&](Connection& db) { return state.read_all(db, keys); };
    auto values = co_await read(state.pool, state.random, all,
                                ReadLimits{.deadline = deadline - state.pool.timers().now()});
    // One that is no text to the database names nothing.
    if (values && keys.size() == 1) values->resize(1);
    if (values && values->size() == keys.size())
      co_return std::vector<Result<T>>(std::make_move_iterator(values->begin()),
                                       std::make_move_iterator(values->end()));
    if (!values && (keys.size() == 1 || values.error().code == Errc::unavailable))
      co_return std::vector<Result<T>>(keys.size(), fail(values.error()));
    // A key, or a row that cannot be read, fails no other's read.
    std::vector<Result<T>> answers;
    for (auto& key : keys) {
      auto one = co_await answers_to(state, {std::move(key)}, deadline);
      answers.push_back(std::move(one.front()));
    }
    co_return answers;
  }

  std::shared_ptr<State> state_;
};

}  // namespace dg::store::postgres
