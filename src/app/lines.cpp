#include "app/lines.hpp"

#include <algorithm>
#include <utility>

namespace dg::app {

Lines::Turn::Turn(std::shared_ptr<Table> table, std::string key, std::shared_ptr<Signal> place)
    : table_(std::move(table)), key_(std::move(key)), place_(std::move(place)) {
  (*table_)[key_].push_back(place_);
}

Lines::Turn::~Turn() {
  if (!table_) return;  // moved from
  const auto found = table_->find(key_);
  std::erase(found->second, place_);
  if (found->second.empty()) {
    table_->erase(found);
  } else {
    found->second.front()->notify_all();
  }
}

bool Lines::Turn::is_first() const {
  return table_->find(key_)->second.front() == place_;
}

Task<Lines::Turn> Lines::enter(std::string key) {
  const auto place = std::make_shared<Signal>(timers_);
  Turn turn(table_, std::move(key), place);
  while (!turn.is_first()) co_await place->wait();
  co_return turn;
}

}  // namespace dg::app
