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

// Frames and ends of the runs that somebody reads or waits for. Its memory is bounded: of each run it
// keeps what some reader has not taken yet, up to a limit, and little beside that. A reader that fell behind
// reads from the store.
class Streams {
 public:
  explicit Streams(Context& context);
  ~Streams();
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  // Tells readers, of all instances, of frames that have just become durable. Call in commit order.
  void publish(const std::string& run_id, std::int64_t first, const std::vector<store::Frame>& frames);

  struct Page {
    std::vector<NumberedFrame> frames;  // empty: nothing came until the deadline, or the end
    bool ended = false;                 // the run is not active any more and every frame was given
  };
  class Reader;

  // Wakes whoever waits for the run: a read answers with nothing, a wait as at its deadline. For a
  // waiter whose client has gone; others ask again.
  void nudge(const std::string& run_id);

  // Has readers go on elsewhere, since this instance stops: each is woken, and asks whether it is to leave.
  void send_readers_away();
  bool readers_leave() const { return readers_leave_; }

  // Waits until the run is not active and gives it as it is then.
  Task<Result<domain::Run>> wait_inactive(std::string run_id, SteadyTime deadline);

  // Runs that somebody reads or waits for, and how many do.
  std::size_t live_runs() const { return table_->live.size(); }
  std::size_t waiting() const { return table_->waiting; }
  // Frames that became durable, read by somebody or not.
  std::uint64_t frames() const { return frames_; }

 private:
  struct Live {
    explicit Live(Timers& timers) : told(timers), published(timers) {}
    // Something happened to the run that is no frame.
    void tell();
    // What the bus says: frames of another instance, or with an empty body that something happened.
    void hear(const std::string& body);
    void publish(std::int64_t first, const std::vector<store::Frame>& frames);
    std::vector<NumberedFrame> from(std::int64_t number) const;
    // Forgets what every reader has taken, and what is too much.
    void trim();

    Signal told;
    Signal published;  // and told
    // Those who wait compare these, so that what came while they read is not missed.
    std::uint64_t times_told = 0;
    std::uint64_t nudges = 0;
    std::deque<store::Frame> tail;
    std::int64_t first = 0;  // the number of tail's first frame
    std::size_t bytes = 0;
    std::vector<const Reader*> readers;
    int users = 0;  // readers, and who waits for the end
    bus::Subscription others;
  };
  struct Table {
    std::map<std::string, std::shared_ptr<Live>, std::less<>> live;
    std::size_t waiting = 0;
  };
  // A hold on the entry of a run. It may outlive the streams, in a coroutine that a stopped server
  // leaves behind.
  class Use {
   public:
    Use(Streams& streams, const std::string& run_id);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    Live* operator->() const { return live_.get(); }

   private:
    std::shared_ptr<Table> table_;
    std::string run_id_;
    std::shared_ptr<Live> live_;
  };

  Context& context_;
  std::shared_ptr<Table> table_ = std::make_shared<Table>();
  std::uint64_t frames_ = 0;
  bool readers_leave_ = false;
};

// Follows one run. As long as it keeps up it is given frames from memory, and the store is asked when it
// begins, when it fell behind, and when something else happened to the run.
class Streams::Reader {
 public:
  // From frame number `from` on.
  Reader(Streams& streams, std::string run_id, std::int64_t from);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // The frames that follow, waiting until there are some, the run ends, or `deadline`. not_found when
  // the run does not exist (any more). One call at a time.
  Task<Result<Page>> next(SteadyTime deadline);

  std::int64_t position() const { return from_; }

 private:
  Page take(std::vector<NumberedFrame> frames);
  // Whether all that came since the store was asked was published, and is still in memory.
  bool is_current() const;
  // What the store has. Nothing: there is more to come, and the reader is current.
  Task<Result<std::optional<Page>>> read_store();

  Context& context_;
  Use live_;
  std::string run_id_;
  std::int64_t from_;
  // The moment at which the run was active and the store had no more frames.
  struct Moment {
    std::uint64_t times_told;
    std::int64_t first;
    SteadyTime at;
  };
  std::optional<Moment> current_as_of_;
};

}  // namespace dg::app
