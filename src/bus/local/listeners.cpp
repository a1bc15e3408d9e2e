#include "bus/local/listeners.hpp"

#include <vector>

namespace dg::bus {

Subscription Listeners::add(Topic topic, std::string id, Bus::Listener listener,
                            std::function<void(const Key&)> gone) {
  Key key{topic, std::move(id)};
  const auto number = ++table_->last;
  table_->by_key[key].emplace(number, std::make_shared<const Bus::Listener>(std::move(listener)));
  const auto end = [weak = std::weak_ptr(table_), key, number, gone = std::move(gone)](void*) {
    const auto table = weak.lock();
    if (!table) return;
    const auto found = table->by_key.find(key);
    found->second.erase(number);
    if (!found->second.empty()) return;
    table->by_key.erase(found);
    if (gone) gone(key);
  };
  return Subscription(std::shared_ptr<void>(nullptr, end));
}

void Listeners::call_key(const Key& key, const std::string& id, const std::string& body) const {
  const auto found = table_->by_key.find(key);
  if (found == table_->by_key.end()) return;
  if (found->second.size() == 1) {
    const auto only = found->second.begin()->second;
    return (*only)(id, body);
  }
  // One that ends while others are called is not called any more.
  std::vector<std::weak_ptr<const Bus::Listener>> all;
  for (const auto& [number, listener] : found->second) all.push_back(listener);
  for (const auto& weak : all)
    if (const auto listener = weak.lock()) (*listener)(id, body);
}

void Listeners::call(Topic topic, const std::string& id, const std::string& body) const {
  const auto table = table_;  // a listener may end the bus
  if (!id.empty()) call_key({topic, id}, id, body);
  call_key({topic, ""}, id, body);
}

void Listeners::wake(const Key& key) const {
  call_key(key, key.second, "");
}

void Listeners::wake_all() const {
  const auto table = table_;
  for (const auto& key : keys()) call_key(key, key.second, "");
}

std::vector<Listeners::Key> Listeners::keys() const {
  std::vector<Key> keys;
  for (const auto& [key, entries] : table_->by_key) keys.push_back(key);
  return keys;
}

}  // namespace dg::bus
