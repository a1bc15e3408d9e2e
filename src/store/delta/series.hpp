// The large values that one channel takes in turn, apart from where they are stored: what the log holds so
// far and the value that the next one is compared with.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "store/delta/recipe.hpp"

namespace dg::store::delta {

// The values of one channel: as the graph library's blobs, and as JSON in states and frames.
enum class SeriesKind { blob, json };
std::string_view to_text(SeriesKind kind);

struct SeriesKey {
  std::string thread_id;
  std::string ns;
  std::string channel;
  SeriesKind kind = SeriesKind::blob;

  auto operator<=>(const SeriesKey&) const = default;
};

// Who names a value. What frames alone name goes when they go.
enum class NamedBy { checkpoint, frame };
// Which of a series' values frames alone may name: none, the newest one, or earlier ones.
enum class Loose { none, newest, earlier };

// Compares with the last value that brought anything new, since workers do not always say in order what they
// have seen, and an older state is a part of it. Small values are kept a few deep.
struct Series {
  struct Value {
    std::string bytes;
    Recipe recipe;
  };
  std::int64_t id = 0;
  std::uint64_t size = 0;    // of the log
  std::int64_t pending = 0;  // parts of the log since some were merged
  Loose loose = Loose::none;
  Value newest;
  std::deque<Value> earlier;  // small ones, the latest first

  // How a value is put together, and what is to be stored for it.
  struct Added {
    Recipe recipe;
    std::uint64_t at = 0;  // the place of `literal`
    std::string literal;   // a part of the log that is new, or empty
    bool changed = false;  // the series itself
  };
  Added add(std::string_view value, NamedBy by);

  // Of the values that are held.
  std::size_t bytes() const;

 private:
  Added change(std::string_view value, NamedBy by);
};

}  // namespace dg::store::delta
