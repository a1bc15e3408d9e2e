// The series that were written lately, with the values that their next ones are compared with. A copy of what
// is stored: each transaction holds it against the series' row, which another instance may have changed.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/delta/series.hpp"

namespace dg::store::postgres {

class SeriesCache {
 public:
  // Keeps about `most_held` bytes of values between transactions.
  explicit SeriesCache(std::size_t most_held = std::size_t{64} << 20) : most_held_(most_held) {}

  // The series where what is kept is what its row says; null when it is not known so.
  delta::Series* find(const delta::SeriesKey& key, const delta::Series& row);
  // Puts it in; the place stays until `shed` or `clear`.
  delta::Series* put(const delta::SeriesKey& key, delta::Series series);
  // Between transactions: lets go of those that were not used for longest.
  void shed();
  void clear();

  // Ids of series come from the database in blocks; an id of a transaction that fails is lost.
  static constexpr std::int64_t block = 100;
  void add_ids(std::int64_t first) { ids_.emplace_back(first, first + block); }
  std::int64_t ids_left() const;
  std::int64_t take_id();

 private:
  struct Entry {
    delta::Series series;
    std::size_t counted = 0;  // of `held_`
    std::list<delta::SeriesKey>::iterator use;
  };
  std::size_t most_held_;
  std::map<delta::SeriesKey, Entry> known_;
  std::list<delta::SeriesKey> uses_;    // the latest first
  std::vector<delta::SeriesKey> used_;  // since `shed`
  std::size_t held_ = 0;
  std::list<std::pair<std::int64_t, std::int64_t>> ids_;
};

}  // namespace dg::store::postgres
