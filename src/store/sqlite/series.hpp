// Large values on disk: series of values with one log each (store/delta/recipe.hpp).
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>

#include "store/delta/document.hpp"
#include "store/delta/series.hpp"
#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

using delta::Loose;
using delta::NamedBy;
using delta::SeriesKey;
using delta::SeriesKind;

// Adds values. Keeps of each series that was written lately the values that the next one is compared with.
// Belongs to the thread that writes, beside its connection.
class SeriesWriter {
 public:
  // Keeps about `most_held` bytes of values, and always those of the series that was written last.
  explicit SeriesWriter(Database& db, std::size_t most_held = std::size_t{64} << 20)
      : db_(db), most_held_(most_held) {}

  // Stores what is new in the value. One that equals the series' newest takes nothing.
  delta::Ref add(const SeriesKey& key, std::string_view value, NamedBy by);
  // Must be called when a transaction was rolled back.
  void forget();
  // Must be called when the series of the thread were changed by others than `add`.
  void forget(const std::string& thread_id);
  std::size_t held_bytes() const { return held_bytes_; }

 private:
  struct Series : delta::Series {
    std::list<SeriesKey>::iterator use;
  };

  Series& find(const SeriesKey& key);
  void load(const SeriesKey& key, Series& out);
  void append(Series& series, const Series::Added& added);
  void save(const Series& series);
  void shed(const SeriesKey& keep);

  Database& db_;
  std::size_t most_held_;
  std::map<SeriesKey, Series> known_;
  std::list<SeriesKey> uses_;  // the latest first
  std::size_t held_bytes_ = 0;
};

// The value at that place. Empty, with an error on the connection, when parts of it are missing.
std::string read_series_value(Database& db, const delta::Ref& ref);

}  // namespace dg::store::sqlite
