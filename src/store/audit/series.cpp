#include "store/audit/series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "store/delta/recipe.hpp"
#include "store/spans.hpp"

namespace dg::store::audit {
namespace {

// The series of one thread and what is named of them.
class ThreadSeries {
 public:
  ThreadSeries(Audit& audit, std::string thread_id, Findings& findings)
      : audit_(audit), thread_id_(std::move(thread_id)), findings_(findings) {}

  void check() {
    const auto all = audit_.series(thread_id_);
    while (const auto* const row = all->next()) load(*row);
    for (const auto& [id, series] : series_)
      if (!series.row.newest.empty()) use({{id, series.row.newest}, ids_of(series.row), true});
    const auto uses = audit_.uses(thread_id_);
    while (const auto* const found = uses->next()) use(*found);
    for (const auto& [id, series] : series_) refuse_unnamed(series);
  }

 private:
  struct Series {
    StoredSeries row;
    std::vector<StoredPart> parts;
    Spans stored;
    Spans named;
  };

  Ids ids_of(const StoredSeries& row) const {
    return {
        {"thread", thread_id_}, {"ns", row.ns}, {"channel", row.channel}, {"series", std::to_string(row.id)}};
  }

  void load(const StoredSeries& row) {
    auto& series = series_[row.id];
    series.row = row;
    const auto parts = audit_.parts(row.id);
    while (const auto* const part = parts->next()) {
      auto ids = ids_of(row);
      ids.emplace_back("at", std::to_string(part->at));
      if (!part->whole) findings_.add("part-broken", ids, "the part does not unpack to what it is to hold");
      if (!series.parts.empty() && series.parts.back().at + series.parts.back().size > part->at)
        findings_.add("part-broken", ids, "the part begins before the one in front of it ends");
      series.parts.push_back(*part);
      if (part->whole) series.stored.add(part->at, part->at + part->size);
    }
  }

  void use(const SeriesUse& found) {
    const auto recipe = delta::Recipe::decode(found.ref.recipe);
    if (!found.readable || !recipe)
      return findings_.add("recipe-unreadable", found.where, "its recipe cannot be read");
    const auto place = series_.find(found.ref.series);
    if (place == series_.end())
      return findings_.add(
          "part-missing", found.where,
          fmt::format("the series {} that it needs is none of its thread", found.ref.series));
    bool whole = true;
    for (const auto& piece : recipe->pieces()) {
      if (!piece.own.empty()) continue;
      const auto at = static_cast<std::int64_t>(piece.at);
      const auto end = at + static_cast<std::int64_t>(piece.size);
      place->second.named.add(at, end);
      if (place->second.stored.holds(at, end) || !whole) continue;
      whole = false;
      findings_.add(
          "part-missing", found.where,
          fmt::format("the series {} lacks bytes {} to {}, which it needs", found.ref.series, at, end));
    }
  }

  void refuse_unnamed(const Series& series) {
    for (const auto& part : series.parts) {
      if (series.named.touches(part.at, part.at + part.size)) continue;
      auto ids = ids_of(series.row);
      ids.emplace_back("at", std::to_string(part.at));
      findings_.add("part-unreferenced", std::move(ids), "no value needs this part");
    }
  }

  Audit& audit_;
  std::string thread_id_;
  Findings& findings_;
  std::map<std::int64_t, Series> series_;
};

}  // namespace

void check_series(Audit& audit, Findings& findings) {
  std::string last;
  const auto kept = audit.kept_states();
  while (const auto* const row = kept->next()) {
    if (row->thread_id == last) continue;
    last = row->thread_id;
    ThreadSeries(audit, last, findings).check();
  }
  const auto orphans = audit.series_without_row();
  while (const auto* const id = orphans->next())
    findings.add("part-unreferenced", {{"series", std::to_string(*id)}},
                 "these parts are of a series that does not exist");
}

}  // namespace dg::store::audit
