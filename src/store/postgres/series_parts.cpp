#include "store/postgres/series_parts.hpp"

#include <iterator>
#include <optional>
#include <string>

#include "store/delta/packing.hpp"
#include "store/postgres/grouping.hpp"

namespace dg::store::postgres {
namespace {

// Nothing where there is nothing to merge, or one of them is damaged.
std::optional<SeriesPartRow> merged(std::span<const SeriesPartRow> group) {
  if (group.size() < 2) return std::nullopt;
  std::string bytes;
  for (const auto& part : group) {
    const auto unpacked = delta::unpack(part.data.bytes);
    if (!unpacked || std::ssize(*unpacked) != part.size) return std::nullopt;
    bytes += *unpacked;
  }
  return SeriesPartRow{.series = group.front().series,
                       .at = group.front().at,
                       .size = std::ssize(bytes),
                       .data = {delta::pack(bytes)}};
}

}  // namespace

MergedParts merge(std::vector<SeriesPartRow> parts) {
  MergedParts out;
  const auto groups = grouped(
      std::span(parts), [](const SeriesPartRow& part) { return part.size; },
      [](const SeriesPartRow& one, const SeriesPartRow& next) { return one.at + one.size == next.at; });
  for (const auto group : groups) {
    auto one = merged(group);
    if (!one) continue;
    for (const auto& part : group) out.erased.push_back({part.series, part.at});
    out.put.push_back(std::move(*one));
  }
  return out;
}

}  // namespace dg::store::postgres
