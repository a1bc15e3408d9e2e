// Standing in line: one coroutine at a time for each key.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "base/async.hpp"

namespace dg::app {

// Commands that would otherwise decide on the same aggregate again and again, each refusing the
// others' commits, take turns in the order in which they came. Only commands of this process stand in
// it; a conflict with another one is still possible. Not thread-safe: it lives on its loop.
class Lines {
 private:
  using Line = std::deque<std::shared_ptr<Signal>>;  // a place for each, the first has its turn
  using Table = std::map<std::string, Line, std::less<>>;

 public:
  explicit Lines(Timers& timers) : timers_(timers) {}

  // A place in a line, held until it goes. It may outlive the lines.
  class Turn {
   public:
    Turn(std::shared_ptr<Table> table, std::string key, std::shared_ptr<Signal> place);
    ~Turn();
    Turn(Turn&&) noexcept = default;
    Turn& operator=(Turn&&) = delete;
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    friend class Lines;
    bool is_first() const;
    std::shared_ptr<Table> table_;
    std::string key_;
    std::shared_ptr<Signal> place_;
  };

  // Waits until nobody else has the key's turn.
  Task<Turn> enter(std::string key);
  // Keys that somebody has or waits for.
  std::size_t size() const { return table_->size(); }

 private:
  Timers& timers_;
  std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace dg::app
