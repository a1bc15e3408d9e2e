// Which rows of bytes become one: those that follow one another, below a bound.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dg::store::postgres {

// Of a merged row. Larger rows stay what they are, and are not read again.
inline constexpr std::int64_t most_merged_bytes = std::int64_t{256} << 10;

// The rows in groups of one or more, in order. `bytes` tells a row's size, `follows` whether one comes right
// behind another.
template <class Row, class Bytes, class Follows>
std::vector<std::span<Row>> grouped(std::span<Row> rows, Bytes bytes, Follows follows) {
  std::vector<std::span<Row>> out;
  for (std::size_t begin = 0; begin < rows.size();) {
    std::int64_t total = bytes(rows[begin]);
    auto end = begin + 1;
    for (; end < rows.size(); ++end) {
      total += bytes(rows[end]);
      if (total > most_merged_bytes || !follows(rows[end - 1], rows[end])) break;
    }
    out.push_back(rows.subspan(begin, end - begin));
    begin = end;
  }
  return out;
}

}  // namespace dg::store::postgres
