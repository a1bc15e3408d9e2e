#include "store/postgres/segments.hpp"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <span>
#include <utility>

#include "store/frame_codec.hpp"

namespace dg::store::postgres {
namespace {

std::int64_t end_of(const SegmentRow& row) {
  return row.first_no + row.count;
}

// How many of the rows become one: they follow one another and stay below the bound.
std::size_t size_of_group(std::span<const SegmentRow> rows) {
  auto bytes = std::ssize(rows.front().data.bytes);
  std::size_t size = 1;
  for (; size < rows.size(); ++size) {
    bytes += std::ssize(rows[size].data.bytes);
    if (bytes > most_merged_bytes || rows[size].first_no != end_of(rows[size - 1])) break;
  }
  return size;
}

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
  const auto are_stored = stored.size();
  auto rows = std::move(stored);
  std::ranges::move(added, std::back_inserter(rows));
  for (std::size_t at = 0; at < rows.size();) {
    const auto end = at + size_of_group(std::span(rows).subspan(at));
    auto one = merged(std::span(rows).subspan(at, end - at));
    for (; at < end; ++at) {
      if (one && at < are_stored) out.erased.push_back({rows[at].run_id, rows[at].first_no});
      if (one || at < are_stored) continue;
      rows[at].pending = 0;
      out.put.push_back(std::move(rows[at]));
    }
    if (one) out.put.push_back(std::move(*one));
  }
  return out;
}

}  // namespace dg::store::postgres
