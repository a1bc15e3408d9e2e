// Large values on disk: series of values with one log each (store/delta/recipe.hpp).
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <string>
#include <string_view>

#include "store/delta/document.hpp"
#include "store/delta/recipe.hpp"
#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

// The values of one channel: as the graph library's blobs, and as JSON in states and frames.
enum class SeriesKind { blob, json };
struct SeriesKey {
  std::string thread_id;
  std::string ns;
  std::string channel;
  SeriesKind kind = SeriesKind::blob;

  auto operator<=>(const SeriesKey&) const = default;
};

std::string_view to_text(SeriesKind kind);

// Who names a value. What frames alone name goes when they go.
enum class NamedBy { checkpoint, frame };
// Which of a series' values frames alone may name: none, the newest one, or earlier ones.
enum class Loose { none, newest, earlier };

// Adds values. Keeps of each series that was written lately the value that the next one is compared with: the
// last one that brought anything new, since workers do not always say in order what they have seen, and an
// older state is a part of it. Small values are kept a few deep. Belongs to the thread that writes, beside
// its connection.
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
  struct Value {
    std::string bytes;
    delta::Recipe recipe;
  };
  struct Series {
    std::int64_t id = 0;
    std::uint64_t size = 0;    // of the log
    std::int64_t pending = 0;  // parts since the last merge
    Loose loose = Loose::none;
    Value newest;
    std::deque<Value> earlier;  // small ones, the latest first
    std::list<SeriesKey>::iterator use;

    std::size_t bytes() const;  // of the values that it keeps
  };

  Series& find(const SeriesKey& key);
  void load(const SeriesKey& key, Series& out);
  void append(Series& series, std::string_view literal);
  delta::Recipe describe(Series& series, std::string_view value, NamedBy by);
  delta::Recipe change(Series& series, std::string_view value, NamedBy by);
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
