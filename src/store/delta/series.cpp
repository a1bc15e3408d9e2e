#include "store/delta/series.hpp"

#include <algorithm>
#include <utility>

#include "store/delta/describe.hpp"

namespace dg::store::delta {
namespace {

// Of what is small enough a few values are told apart: a channel that is replaced goes back and forth where
// frames and checkpoints overtake one another.
constexpr std::size_t kept_deep = 3;
constexpr std::size_t most_kept_deep = std::size_t{16} << 10;

}  // namespace

std::string_view to_text(SeriesKind kind) {
  return kind == SeriesKind::blob ? "blob" : "json";
}

std::size_t Series::bytes() const {
  std::size_t bytes = newest.bytes.size();
  for (const auto& value : earlier) bytes += value.bytes.size();
  return bytes;
}

Series::Added Series::add(std::string_view value, NamedBy by) {
  if (newest.bytes == value && !value.empty()) {
    const bool settles = loose == Loose::newest && by == NamedBy::checkpoint;
    if (settles) loose = Loose::none;
    return {.recipe = newest.recipe, .literal = {}, .changed = settles};
  }
  const auto known = std::ranges::find(earlier, value, &Value::bytes);
  if (known != earlier.end()) return {.recipe = known->recipe, .literal = {}};
  return change(value, by);
}

Series::Added Series::change(std::string_view value, NamedBy by) {
  auto next = describe({newest.bytes, newest.recipe}, size, value);
  if (next.literal.empty() && value.size() < newest.bytes.size())
    return {.recipe = std::move(next.recipe), .literal = {}};
  const auto at = size;
  size += next.literal.size();
  if (!next.literal.empty()) ++pending;
  if (!newest.bytes.empty() && newest.bytes.size() <= most_kept_deep) {
    earlier.push_front(std::move(newest));
    if (earlier.size() > kept_deep) earlier.pop_back();
  }
  newest = {std::string(value), std::move(next.recipe)};
  if (loose != Loose::none) {
    loose = Loose::earlier;
  } else if (by == NamedBy::frame) {
    loose = Loose::newest;
  }
  return {newest.recipe, at, std::move(next.literal), true};
}

}  // namespace dg::store::delta
