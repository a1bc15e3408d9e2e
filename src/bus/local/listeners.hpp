// The listeners of one process, for every adapter.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bus/bus.hpp"

namespace dg::bus {

// Used on one event loop. A listener may subscribe, and end subscriptions, its own among them.
class Listeners {
 public:
  using Key = std::pair<Topic, std::string>;  // an empty id: all of the topic

  // `gone` is called when the last listener of its topic and id has ended, where the listeners still exist.
  Subscription add(Topic topic, std::string id, Bus::Listener listener,
                   std::function<void(const Key&)> gone = {});
  bool has(const Key& key) const { return table_->by_key.contains(key); }
  // Calls those of the id and those of all.
  void call(Topic topic, const std::string& id, const std::string& body) const;
  // Calls those of the key alone.
  void call_key(const Key& key, const std::string& id, const std::string& body) const;
  std::vector<Key> keys() const;
  // Wakes those of one key, or everybody, with the id they asked for.
  void wake(const Key& key) const;
  void wake_all() const;

 private:
  using Entries = std::map<std::uint64_t, std::shared_ptr<const Bus::Listener>>;
  struct Table {
    std::map<Key, Entries> by_key;
    std::uint64_t last = 0;
  };

  std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace dg::bus
