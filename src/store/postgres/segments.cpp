#include "store/postgres/segments.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "store/frame_codec.hpp"
#include "store/postgres/grouping.hpp"

namespace dg::store::postgres {
namespace {

// Nothing where there is nothing to merge, or one of them is damaged.
std::optional<SegmentRow> merged(std::span<const SegmentRow> group) {
  if (group.size() < 2) return std::nullopt;
  MergedSegment all;
  for (const auto& row : group)
    if (!all.add(row.first_seq, row.count, row.data.bytes, row.cuts.bytes)) return std::nullopt;
  return SegmentRow{.run_id = group.front().run_id,
                    .first_no = group.front().first_no,
                    .count = all.count(),
                    .first_seq = all.first_seq(),
                    .pending = 0,
                    .data = {all.data()},
                    .cuts = {all.cuts()}};
}

}  // namespace

MergedRows merge(std::vector<SegmentRow> stored, std::vector<SegmentRow> added) {
  MergedRows out;
  const auto first_added = added.empty() ? std::numeric_limits<std::int64_t>::max() : added.front().first_no;
  auto rows = std::move(stored);
  std::ranges::move(added, std::back_inserter(rows));
  const auto groups = grouped(
      std::span(rows), [](const SegmentRow& row) { return std::ssize(row.data.bytes); },
      [](const SegmentRow& one, const SegmentRow& next) {
        return one.first_no + one.count == next.first_no;
      });
  for (const auto group : groups) {
    auto one = merged(group);
    for (auto& row : group) {
      const bool is_stored = row.first_no < first_added;
      if (one && is_stored) out.erased.push_back({row.run_id, row.first_no});
      if (one || is_stored) continue;
      row.pending = 0;
      out.put.push_back(std::move(row));
    }
    if (one) out.put.push_back(std::move(*one));
  }
  return out;
}

}  // namespace dg::store::postgres
