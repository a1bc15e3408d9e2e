// The parts of a series' log, which become fewer: every so many are merged, and compress better than they
// did.
#pragma once

#include <cstdint>
#include <vector>

#include "store/postgres/tables.hpp"

namespace dg::store::postgres {

// So many, counted by `pending`, are merged by the next transaction that writes to the series.
inline constexpr std::int64_t merge_parts_every = 64;

struct PartKey {
  std::int64_t series = 0;
  std::int64_t at = 0;
};

struct MergedParts {
  std::vector<SeriesPartRow> put;
  std::vector<PartKey> erased;
};
// Merges parts of one series, given in order.
MergedParts merge(std::vector<SeriesPartRow> parts);

}  // namespace dg::store::postgres
