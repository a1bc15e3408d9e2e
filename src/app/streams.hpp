// Reading a run's frames: first what is stored, then what comes, joined without a gap or a repeat.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/context.hpp"

namespace dg::app {

struct NumberedFrame {
  std::int64_t number = 0;
  store::Frame frame;
};

// Frames and ends of the runs that somebody reads or that execute now. Its memory is bounded: each
// run keeps a tail, and a reader that fell behind it reads from the store.
class Streams {
 public:
  explicit Streams(Context& context);
  ~Streams();
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  // Tells readers of frames that have just become durable. Call in commit order.
  void publish(const std::string& run_id, std::int64_t first, const std::vector<store::Frame>& frames);

  struct Page {
    std::vector<NumberedFrame> frames;  // empty: nothing came until the deadline, or the end
    bool ended = false;                 // the run is not active any more and every frame was given
  };
  // The frames of `run_id` from number `from` on, waiting until there are some, the run ends, or
  // `deadline`. not_found when the run does not exist (any more).
  Task<Result<Page>> read(std::string run_id, std::int64_t from, SteadyTime deadline);

  // Wakes whoever waits for the run: a read answers with nothing, a wait as at its deadline. For a
  // waiter whose client has gone; others ask again.
  void nudge(const std::string& run_id);

  // Waits until the run is not active and gives it as it is then.
  Task<Result<domain::Run>> wait_inactive(std::string run_id, SteadyTime deadline);

  // Runs that somebody waits for, and how many wait.
  std::size_t live_runs() const { return table_->live.size(); }
  std::size_t waiting() const { return table_->waiting; }

 private:
  struct Live {
    explicit Live(Timers& timers) : changed(timers) {}
    void notify() {
      ++changes;
      changed.notify_all();
    }
    Signal changed;
    std::uint64_t nudges = 0;
    std::uint64_t changes = 0;  // a waiter compares it, so that what came while it read is not missed
    std::deque<store::Frame> tail;
    std::int64_t first = 0;  // the number of tail's first frame
    std::size_t bytes = 0;
    int users = 0;  // readers inside read()
  };
  struct Table {
    std::map<std::string, std::shared_ptr<Live>, std::less<>> live;
    std::size_t waiting = 0;
  };
  // A waiter's hold on the entry of its run. It may outlive the streams, in a coroutine that a stopped
  // server leaves behind.
  class Use {
   public:
    Use(Streams& streams, std::string run_id);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    Live* operator->() const { return live_.get(); }
    const Live& operator*() const { return *live_; }

   private:
    std::shared_ptr<Table> table_;
    std::string run_id_;
    std::shared_ptr<Live> live_;
  };
  static std::vector<NumberedFrame> from_tail(const Live& live, std::int64_t from);

  Context& context_;
  std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace dg::app
