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

  // Queues a message; it is applied with whatever else of its owner waits by then, in one commit.
  // The link gets the acknowledgement, or that its sender is superseded.
  void receive(OwnerMessage message, std::shared_ptr<WorkerLink> link);
  // Returns when everything of the operation up to `n` is durable. superseded when it is over.
  Task<Status> settled(std::string owner, std::int64_t epoch, std::int64_t n, SteadyTime deadline);

 private:
  struct Inbox {
    explicit Inbox(Timers& timers) : applied(timers) {}
    std::deque<OwnerMessage> waiting;
    std::shared_ptr<WorkerLink> link;
    bool draining = false;
    bool dead = false;
    std::int64_t applied_n = 0;
    std::string thread_id;
    bool is_run = false;
    bool has_thread = false;  // an operation's: it is noted in the thread's log
    std::string revision;
    Signal applied;
  };
  using Key = std::pair<std::string, std::int64_t>;  // owner, epoch

  Task<void> drain(Key key, std::shared_ptr<Inbox> inbox);
  Task<Status> look_up(const Key& key, Inbox& inbox);
  Task<Status> apply(const Key& key, Inbox& inbox, std::vector<OwnerMessage> messages);

  Context& context_;
  Workers& workers_;
  Runs& runs_;
  Streams& streams_;
  std::map<Key, std::shared_ptr<Inbox>> inboxes_;
};

}  // namespace dg::app
