#include "store/postgres/series_cache.hpp"

#include <utility>

namespace dg::store::postgres {

delta::Series* SeriesCache::find(const delta::SeriesKey& key, const delta::Series& row) {
  const auto found = known_.find(key);
  if (found == known_.end()) return nullptr;
  auto& series = found->second.series;
  if (series.id != row.id || series.size != row.size || series.pending != row.pending ||
      series.loose != row.loose || series.newest.recipe != row.newest.recipe)
    return nullptr;
  uses_.splice(uses_.begin(), uses_, found->second.use);
  used_.push_back(key);
  return &series;
}

delta::Series* SeriesCache::put(const delta::SeriesKey& key, delta::Series series) {
  const auto [place, is_new] = known_.try_emplace(key);
  place->second.series = std::move(series);
  used_.push_back(key);
  if (is_new) {
    place->second.use = uses_.insert(uses_.begin(), key);
  } else {
    uses_.splice(uses_.begin(), uses_, place->second.use);
  }
  return &place->second.series;
}

void SeriesCache::shed() {
  for (const auto& key : std::exchange(used_, {})) {
    auto& entry = known_.at(key);
    held_ -= entry.counted;
    entry.counted = entry.series.bytes();
    held_ += entry.counted;
  }
  while (held_ > most_held_) {
    const auto oldest = known_.find(uses_.back());
    held_ -= oldest->second.counted;
    known_.erase(oldest);
    uses_.pop_back();
  }
}

void SeriesCache::clear() {
  known_.clear();
  uses_.clear();
  used_.clear();
  held_ = 0;
}

std::int64_t SeriesCache::ids_left() const {
  std::int64_t left = 0;
  for (const auto& [next, end] : ids_) left += end - next;
  return left;
}

std::int64_t SeriesCache::take_id() {
  auto& [next, end] = ids_.front();
  const auto id = next++;
  if (next == end) ids_.pop_front();
  return id;
}

}  // namespace dg::store::postgres
