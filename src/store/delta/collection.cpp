#include "store/delta/collection.hpp"

#include <algorithm>
#include <utility>

namespace dg::store::delta {

void Collection::add(std::int64_t id, std::int64_t loose, std::string newest) {
  auto& series = series_[id];
  series.loose = loose;
  series.newest = std::move(newest);
}

std::vector<std::int64_t> Collection::ids() const {
  std::vector<std::int64_t> out;
  for (const auto& [id, series] : series_) out.push_back(id);
  return out;
}

void Collection::name(std::int64_t id, std::string_view recipe, bool by_frame) {
  const auto found = series_.find(id);
  const auto decoded = Recipe::decode(recipe);
  if (found == series_.end()) return;
  auto& series = found->second;
  series.by_frames = series.by_frames || by_frame;
  if (!decoded) return;
  add_ranges(series.spans, *decoded);
  series.last = recipe;
  series.any = true;
}

void Collection::name(const std::vector<Cut>& cuts, bool by_frame) {
  for (const auto& cut : cuts) name(cut.ref.series, cut.ref.recipe, by_frame);
}

void Collection::name(std::int64_t id, const Spans& spans) {
  const auto found = series_.find(id);
  if (found == series_.end()) return;
  for (const auto& [from, end] : spans.all()) found->second.spans.add(from, end);
  found->second.any = true;
}

std::vector<std::int64_t> Collection::unnamed() const {
  std::vector<std::int64_t> out;
  for (const auto& [id, series] : series_)
    if (!series.any) out.push_back(id);
  return out;
}

bool Collection::needs(std::int64_t id, std::int64_t at, std::int64_t size) const {
  return series_.at(id).spans.touches(at, at + size);
}

// Whether all that the newest value is put together from is named.
bool Collection::covers(const Series& series) {
  const auto decoded = Recipe::decode(series.newest);
  if (!decoded) return false;
  Spans needed;
  add_ranges(needed, *decoded);
  return std::ranges::all_of(needed.all(),
                             [&](const auto& span) { return series.spans.holds(span.first, span.second); });
}

std::vector<Collection::Change> Collection::changes() const {
  std::vector<Change> out;
  for (const auto& [id, series] : series_) {
    if (!series.any) continue;
    const auto& newest = covers(series) ? series.newest : series.last;
    const auto loose = series.by_frames ? series.loose : 0;
    if (newest != series.newest || loose != series.loose) out.push_back({id, newest, loose});
  }
  return out;
}

}  // namespace dg::store::delta
