// Removing what nothing names any more of the logs of large values.
#include <fmt/format.h>

#include <vector>

#include "store/delta/collection.hpp"
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

Error unreadable(const std::string& thread_id) {
  return {Errc::internal,
          fmt::format("what a pack of the thread {} needs cannot be read; run `duragraph verify`", thread_id),
          {}};
}

delta::Collection named_of(Database& db, const std::string& thread_id, const std::string& ns) {
  delta::Collection named;
  for (Query query(db, select_series, thread_id, ns); query.next();) {
    const auto id = query.integer();
    const auto loose = query.integer();
    named.add(id, loose, query.text());
  }
  if (named.is_empty()) return named;
  for (Query query(db, select_values, thread_id, ns); query.next();) {
    const auto id = query.integer();
    named.name(id, query.view(), false);
  }
  for (Query query(db, select_frames, thread_id); query.next();)
    for (const auto& [place, cuts] : decode_cuts(query.view())) named.name(cuts, true);
  for (Query query(db, select_projections, thread_id, ns); query.next();) {
    auto bytes = query.view();
    std::vector<delta::Cut> cuts;
    if (delta::take_cuts(bytes, cuts)) named.name(cuts, false);
  }
  pack::Needs needs;
  for (Query query(db, select_packs, thread_id); query.next();)
    if (!pack::take_needs(query.view(), needs)) db.fail_with(unreadable(thread_id));
  for (const auto& [id, spans] : needs) named.name(id, spans);
  return named;
}

void erase_parts(Database& db, const delta::Collection& named, std::int64_t id) {
  std::vector<std::int64_t> unnamed;
  for (Query query(db, select_parts, id); query.next();) {
    const auto at = query.integer();
    if (!named.needs(id, at, query.integer())) unnamed.push_back(at);
  }
  for (const auto at : unnamed) execute(db, delete_part, id, at);
}

}  // namespace

void collect_series(WriteContext& context, const std::string& thread_id, const std::string& ns) {
  auto& db = context.db;
  const auto named = named_of(db, thread_id, ns);
  for (const auto id : named.unnamed()) execute(db, delete_series, id);
  for (const auto id : named.ids()) erase_parts(db, named, id);
  for (const auto& change : named.changes())
    execute(db, update_series, change.id, Blob{change.newest}, change.loose);
  context.series.forget(thread_id);
}

void erase_series_of_thread(WriteContext& context, const std::string& thread_id) {
  execute(context.db, delete_parts_of_thread, thread_id);
  execute(context.db, delete_series_of_thread, thread_id);
  context.series.forget(thread_id);
}

}  // namespace dg::store::sqlite
