// The numbered messages of runs and operations, applied in order and each exactly once.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "app/context.hpp"
#include "app/runs.hpp"
#include "app/worker_port.hpp"

namespace dg::app {

class Owners {
 public:
  Owners(Context& context, Workers& workers, Runs& runs, Streams& streams);
  Owners(const Owners&) = delete;
  Owners& operator=(const Owners&) = delete;

  // Queues a message; it is applied with whatever else of its owner waits by then, in one commit.
  // The link gets the acknowledgement, or that its sender is superseded.
  void receive(OwnerMessage message, std::shared_ptr<WorkerLink> link);
  // The connection is gone. What came over it is still applied.
  void disconnected(const WorkerLink* link);
  // Returns when everything of the operation up to `n` is durable. superseded when it is over.
  Task<Status> settled(std::string owner, std::int64_t epoch, std::int64_t n, SteadyTime deadline);

 private:
  struct Inbox {
    explicit Inbox(Timers& timers) : applied(timers) {}
    std::deque<OwnerMessage> waiting;
    std::shared_ptr<WorkerLink> link;
    bool draining = false;
    bool link_gone = false;
    bool known = false;  // what follows was read, and is kept while the run sends over this connection
    std::int64_t applied_n = 0;
    std::string thread_id;
    bool is_run = false;
    bool has_thread = false;  // an operation's: it is noted in the thread's log
    std::string revision;
    Signal applied;
  };
  using Key = std::pair<std::string, std::int64_t>;  // owner, epoch

  // What some messages in a row ask for.
  struct Batch;

  Task<void> drain(Key key, std::shared_ptr<Inbox> inbox);
  Task<Status> look_up(const Key& key, Inbox& inbox);
  // The messages that are due, as many as one commit takes. None where there are none, or a gap.
  static std::vector<OwnerMessage> take_due(const Key& key, Inbox& inbox);
  static void say_why(const Key& key, Inbox& inbox, const Error& error);
  Task<Status> apply(const Key& key, Inbox& inbox, std::vector<OwnerMessage> messages);
  Task<Status> commit(const Key& key, Inbox& inbox, Batch batch);

  Context& context_;
  Workers& workers_;
  Runs& runs_;
  Streams& streams_;
  std::map<Key, std::shared_ptr<Inbox>> inboxes_;
};

}  // namespace dg::app
