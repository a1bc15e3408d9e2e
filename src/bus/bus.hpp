// The port between the loops of all processes: a commit tells whoever it concerns that there is something
// new to read, and instances speak to one another. Nothing is true because the bus said so: a wake-up that is
// lost loses only time, and whoever sends a message sees to it himself that its loss does no harm.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace dg::bus {

enum class Topic {
  run,       // id: a run. A wake-up: its state changed. A message: its frames.
  queue,     // id: the graph, or empty. A run may be claimable, or a slot became free. A message: likewise
  sessions,  // who is connected, and what exists, changed
  owner,     // id: a session that is connected elsewhere. A message: the run or operation to look at
  request,   // id: such a session. A message: a question to its worker
  reply,     // id: an instance. A message: the answer to its question
};

// Ends a subscription when it goes. It may outlive the bus.
class Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::shared_ptr<void> hold) : hold_(std::move(hold)) {}

 private:
  std::shared_ptr<void> hold_;
};

class Bus {
 public:
  // `body` is empty for a wake-up.
  using Listener = std::function<void(const std::string& id, const std::string& body)>;
  virtual ~Bus() = default;

  // Wakes the listeners of all processes, this one's before it returns. Call it after the commit.
  virtual void publish(Topic topic, const std::string& id) = 0;
  // Hands `body`, which is not empty, to the listeners of other processes.
  virtual void send(Topic topic, const std::string& id, std::string body) = 0;
  // Whether other processes may share the store, reachable at the moment or not. It never changes.
  virtual bool reaches_others() const = 0;

  // Listens to one id, or to all where `id` is empty. Listeners are called on the event loop, one
  // publisher's in the order of publishing. They are also woken, with `id`, when something may have been
  // missed: as soon as the subscription holds in all processes, after a lost connection, and every second
  // while there is none.
  [[nodiscard]] virtual Subscription subscribe(Topic topic, std::string id, Listener listener) = 0;
};

// Inside one process.
std::unique_ptr<Bus> make_local_bus();

}  // namespace dg::bus
