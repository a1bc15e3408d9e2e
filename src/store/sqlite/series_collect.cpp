// Removing what nothing names any more of the logs of large values.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "store/frame_codec.hpp"
#include "store/pack/needs.hpp"
#include "store/sqlite/apply.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_series =
    "SELECT id, loose, newest FROM series WHERE thread_id = ? AND ns = ?";
constexpr std::string_view select_values =
    "SELECT series, data FROM checkpoint_values WHERE thread_id = ? AND ns = ? AND series <> 0";
constexpr std::string_view select_projections =
    "SELECT cuts FROM checkpoints WHERE thread_id = ? AND ns = ? AND length(cuts) > 0";
constexpr std::string_view select_packs = "SELECT needs FROM packs WHERE thread_id = ? AND length(needs) > 0";
constexpr std::string_view select_frames =
    "SELECT s.cuts FROM runs AS r JOIN segments AS s ON s.run_id = r.id WHERE r.thread_id = ? AND "
    "length(s.cuts) > 0";
constexpr std::string_view select_parts = "SELECT at, size FROM series_parts WHERE series = ? ORDER BY at";
constexpr std::string_view delete_part = "DELETE FROM series_parts WHERE series = ? AND at = ?";
constexpr std::string_view update_series = "UPDATE series SET newest = ?2, loose = ?3 WHERE id = ?1";
constexpr std::string_view delete_series = "DELETE FROM series WHERE id = ?";
constexpr std::string_view delete_parts_of_thread =
    "DELETE FROM series_parts WHERE series IN (SELECT id FROM series WHERE thread_id = ?)";
constexpr std::string_view delete_series_of_thread = "DELETE FROM series WHERE thread_id = ?";

// What is named of one series.
struct Named {
  Spans spans;
  std::string last;  // the recipe that was met last; packs do not tell theirs
  bool any = false;
  bool by_frames = false;

  void add(std::string_view recipe) {
    const auto decoded = delta::Recipe::decode(recipe);
    if (!decoded) return;
    add_ranges(spans, *decoded);
    last = recipe;
    any = true;
  }

  void add(const Spans& of_pack) {
    for (const auto& [from, end] : of_pack.all()) spans.add(from, end);
    any = true;
  }

  // Whether all that the recipe is put together from is named.
  bool covers(std::string_view recipe) const {
    const auto decoded = delta::Recipe::decode(recipe);
    if (!decoded) return false;
    Spans needed;
    add_ranges(needed, *decoded);
    return std::ranges::all_of(needed.all(),
                               [&](const auto& span) { return spans.holds(span.first, span.second); });
  }
};

Error unreadable(const std::string& thread_id) {
  return {Errc::internal,
          fmt::format("what a pack of the thread {} needs cannot be read; run `duragraph verify`", thread_id),
          {}};
}

class Collection {
 public:
  Collection(Database& db, const std::string& thread_id, const std::string& ns) : db_(db) {
    for (Query query(db, select_series, thread_id, ns); query.next();) {
      auto& series = series_[query.integer()];
      series.loose = query.integer();
      series.newest = query.text();
    }
    if (series_.empty()) return;
    for (Query query(db, select_values, thread_id, ns); query.next();) {
      const auto id = query.integer();
      name(id, query.view(), false);
    }
    for (Query query(db, select_frames, thread_id); query.next();)
      for (const auto& [place, cuts] : decode_cuts(query.view())) name(cuts, true);
    for (Query query(db, select_projections, thread_id, ns); query.next();) {
      auto bytes = query.view();
      std::vector<delta::Cut> cuts;
      if (delta::take_cuts(bytes, cuts)) name(cuts, false);
    }
    name_packed(thread_id);
  }

  void run() {
    for (auto& [id, series] : series_) {
      if (!series.named.any) execute(db_, delete_series, id);
      erase_parts(id, series.named);
      if (series.named.any) keep(id, series);
    }
  }

 private:
  struct Series {
    std::int64_t loose = 0;
    std::string newest;
    Named named;
  };

  void name(std::int64_t id, std::string_view recipe, bool by_frame) {
    const auto found = series_.find(id);
    if (found == series_.end()) return;
    found->second.named.add(recipe);
    found->second.named.by_frames = found->second.named.by_frames || by_frame;
  }

  void name(const std::vector<delta::Cut>& cuts, bool by_frame) {
    for (const auto& cut : cuts) name(cut.ref.series, cut.ref.recipe, by_frame);
  }

  void name_packed(const std::string& thread_id) {
    pack::Needs needs;
    for (Query query(db_, select_packs, thread_id); query.next();)
      if (!pack::take_needs(query.view(), needs)) db_.fail_with(unreadable(thread_id));
    for (const auto& [id, spans] : needs)
      if (const auto found = series_.find(id); found != series_.end()) found->second.named.add(spans);
  }

  void erase_parts(std::int64_t id, const Named& named) {
    std::vector<std::int64_t> unnamed;
    for (Query query(db_, select_parts, id); query.next();) {
      const auto at = query.integer();
      if (!named.spans.touches(at, at + query.integer())) unnamed.push_back(at);
    }
    for (const auto at : unnamed) execute(db_, delete_part, id, at);
  }

  // What later values are compared with must be whole.
  void keep(std::int64_t id, const Series& series) {
    const auto& newest = series.named.covers(series.newest) ? series.newest : series.named.last;
    const auto loose = series.named.by_frames ? series.loose : 0;
    if (newest != series.newest || loose != series.loose)
      execute(db_, update_series, id, Blob{newest}, loose);
  }

  Database& db_;
  std::map<std::int64_t, Series> series_;
};

}  // namespace

void collect_series(WriteContext& context, const std::string& thread_id, const std::string& ns) {
  Collection(context.db, thread_id, ns).run();
  context.series.forget(thread_id);
}

void erase_series_of_thread(WriteContext& context, const std::string& thread_id) {
  execute(context.db, delete_parts_of_thread, thread_id);
  execute(context.db, delete_series_of_thread, thread_id);
  context.series.forget(thread_id);
}

}  // namespace dg::store::sqlite
