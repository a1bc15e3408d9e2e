#include "store/postgres/series_values.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "store/delta/packing.hpp"
#include "store/delta/recipe.hpp"

namespace dg::store::postgres {
namespace {

// Parts follow one another without overlap, so the one that begins at or before a range may hold its start.
// The offsets keep the planner from turning look-ups by key into a scan of the table.
constexpr std::string_view select_parts =
    "SELECT n.series, n.at, p.data FROM (SELECT DISTINCT r.series, k.at "
    "FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS r(series, first, past) CROSS JOIN LATERAL ("
    "(SELECT at FROM checkpoint_series_parts WHERE series = r.series AND at <= r.first ORDER BY at DESC "
    "LIMIT 1) "
    "UNION ALL "
    "(SELECT at FROM checkpoint_series_parts WHERE series = r.series AND at > r.first AND at < r.past OFFSET "
    "0)"
    ") AS k) AS n CROSS JOIN LATERAL ("
    "SELECT data FROM checkpoint_series_parts WHERE series = n.series AND at = n.at OFFSET 0) AS p";

}  // namespace

void SeriesValues::want(const delta::Ref& ref) {
  const auto recipe = delta::Recipe::decode(ref.recipe);
  if (!recipe) return;
  Spans ranges;
  add_ranges(ranges, *recipe);
  for (const auto& [from, end] : ranges.all()) wanted_[ref.series].add(from, end);
}

std::size_t SeriesValues::add_to(Pipeline& pipeline) const {
  std::vector<std::int64_t> series;
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> past;
  for (const auto& [id, spans] : wanted_) {
    for (const auto& [from, end] : spans.all()) {
      series.push_back(id);
      first.push_back(from);
      past.push_back(end);
    }
  }
  return pipeline.add(select_parts, series, first, past);
}

void SeriesValues::take(Rows& rows) {
  wanted_.clear();
  while (rows.next()) {
    const auto series = rows.integer();
    const auto at = static_cast<std::uint64_t>(rows.integer());
    // One that is damaged is as good as missing.
    if (auto part = delta::unpack(rows.view())) parts_.insert_or_assign({series, at}, std::move(*part));
  }
}

// False when parts are missing.
bool SeriesValues::append(std::int64_t series, std::uint64_t at, std::uint64_t size, std::string& out) const {
  const auto end = at + size;
  auto part = parts_.upper_bound({series, at});
  if (part == parts_.begin()) return at == end;
  for (--part; at < end; ++part) {
    if (part == parts_.end() || part->first.first != series) return false;
    const auto begins = part->first.second;
    const std::string_view bytes = part->second;
    if (at < begins || at >= begins + bytes.size()) return false;
    const auto taken = std::min<std::uint64_t>(bytes.size() - (at - begins), end - at);
    out.append(bytes.substr(at - begins, taken));
    at += taken;
  }
  return true;
}

std::string SeriesValues::value(const delta::Ref& ref) {
  std::string out;
  const auto recipe = delta::Recipe::decode(ref.recipe);
  bool whole = recipe.has_value();
  for (std::size_t i = 0; whole && i < recipe->pieces().size(); ++i) {
    const auto& piece = recipe->pieces()[i];
    if (!piece.own.empty()) {
      out += piece.own;
    } else {
      whole = append(ref.series, piece.at, piece.size, out);
    }
  }
  if (whole) return out;
  if (torn_ == 0) torn_ = ref.series == 0 ? -1 : ref.series;
  return {};
}

Failure SeriesValues::failure() const {
  return {false, "",
          fmt::format("parts of a stored value are missing (series {}); run `duragraph verify`",
                      std::max<std::int64_t>(torn_, 0))};
}

Task<Outcome<std::vector<std::string>>> read_series_values(Connection& db, std::vector<delta::Ref> refs) {
  SeriesValues values;
  for (const auto& ref : refs) values.want(ref);
  if (!values.empty()) {
    Pipeline pipeline;
    values.add_to(pipeline);
    auto results = co_await db.run(std::move(pipeline));
    if (!results) co_return fail_with(std::move(results.error()));
    values.take(results->front());
  }
  std::vector<std::string> out;
  out.reserve(refs.size());
  for (const auto& ref : refs) out.push_back(values.value(ref));
  if (values.has_failed()) co_return fail_with(values.failure());
  co_return out;
}

}  // namespace dg::store::postgres
