#include "store/pack/needs.hpp"

#include <vector>

#include "store/delta/document.hpp"
#include "store/delta/recipe.hpp"
#include "store/delta/varint.hpp"

namespace dg::store::pack {
namespace {

void name(Needs& needs, std::int64_t series, std::string_view recipe) {
  auto& spans = needs[series];
  if (const auto decoded = delta::Recipe::decode(recipe)) add_ranges(spans, *decoded);
}

}  // namespace

Needs needs_of(const Contents& contents) {
  Needs needs;
  for (const auto& value : contents.values)
    if (value.series != 0) name(needs, value.series, value.data.bytes);
  for (const auto& checkpoint : contents.checkpoints) {
    std::string_view bytes = checkpoint.cuts.bytes;
    std::vector<delta::Cut> cuts;
    if (bytes.empty() || !delta::take_cuts(bytes, cuts)) continue;
    for (const auto& cut : cuts) name(needs, cut.ref.series, cut.ref.recipe);
  }
  return needs;
}

std::string encode_needs(const Needs& needs) {
  std::string out;
  for (const auto& [series, spans] : needs) {
    put_varint(out, static_cast<std::uint64_t>(series));
    put_varint(out, spans.all().size());
    for (const auto& [from, end] : spans.all()) {
      put_varint(out, static_cast<std::uint64_t>(from));
      put_varint(out, static_cast<std::uint64_t>(end - from));
    }
  }
  return out;
}

bool take_needs(std::string_view bytes, Needs& out) {
  while (!bytes.empty()) {
    std::uint64_t series = 0;
    std::uint64_t count = 0;
    if (!take_varint(bytes, series) || !take_varint(bytes, count)) return false;
    auto& spans = out[static_cast<std::int64_t>(series)];
    for (; count > 0; --count) {
      std::uint64_t from = 0;
      std::uint64_t size = 0;
      if (!take_varint(bytes, from) || !take_varint(bytes, size)) return false;
      if (!delta::is_range(from, size)) return false;
      spans.add(static_cast<std::int64_t>(from), static_cast<std::int64_t>(from + size));
    }
  }
  return true;
}

}  // namespace dg::store::pack
