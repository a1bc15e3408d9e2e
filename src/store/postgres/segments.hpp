// A run's rows of frames, which become fewer: those that wait are merged when the run ends and every so many.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/postgres/tables.hpp"

namespace dg::store::postgres {

inline constexpr std::int64_t merge_segments_every = 64;

// The end of a run's stream.
struct StreamTail {
  std::int64_t end = 0;              // how many frames there are
  std::int64_t pending = 0;          // rows since some were merged
  std::vector<SegmentRow> unmerged;  // stored ones in order, where they may be merged now
};

struct SegmentKey {
  std::string run_id;
  std::int64_t first_no = 0;
};

struct MergedRows {
  std::vector<SegmentRow> put;
  std::vector<SegmentKey> erased;
};
// Merges rows of one run: stored ones, and those that are to be added behind them.
MergedRows merge(std::vector<SegmentRow> stored, std::vector<SegmentRow> added);

}  // namespace dg::store::postgres
