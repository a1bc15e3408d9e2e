// The port of wake-ups: a commit tells whoever it concerns, in this process and in others, that
// there is something new to read. Nothing is true because the bus said so, and losing a wake-up
// loses only time.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace dg::bus {

enum class Topic {
  run,    // a run's state or frames changed; id: the run
  queue,  // a run may be claimable, or a slot became free; id: the graph, or empty
};

class Bus {
 public:
  using Listener = std::function<void(const std::string& id)>;
  virtual ~Bus() = default;
  // Call it after the commit.
  virtual void publish(Topic topic, const std::string& id) = 0;
  // Listeners are called on the event loop, in the order of publishing, and stay for ever.
  virtual void subscribe(Topic topic, Listener listener) = 0;
};

// Wake-ups inside one process.
std::unique_ptr<Bus> make_local_bus();

}  // namespace dg::bus
