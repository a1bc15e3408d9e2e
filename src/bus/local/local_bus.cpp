#include <map>
#include <vector>

#include "bus/bus.hpp"

namespace dg::bus {
namespace {

class LocalBus final : public Bus {
 public:
  void publish(Topic topic, const std::string& id) override {
    for (auto& listener : listeners_[topic]) listener(id);
  }
  void subscribe(Topic topic, Listener listener) override {
    listeners_[topic].push_back(std::move(listener));
  }

 private:
  std::map<Topic, std::vector<Listener>> listeners_;
};

}  // namespace

std::unique_ptr<Bus> make_local_bus() {
  return std::make_unique<LocalBus>();
}

}  // namespace dg::bus
