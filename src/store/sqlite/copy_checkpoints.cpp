// Copying the checkpoints of one thread to another.
#include <map>
#include <set>
#include <vector>

#include "store/documents.hpp"
#include "store/sqlite/apply.hpp"
#include "store/sqlite/packs.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/unpack.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view copy_rows[] = {
    "INSERT OR IGNORE INTO checkpoint_writes (thread_id, ns, checkpoint_id, task_id, idx, task_path, "
    "channel, type, "
    "data) SELECT ?2, ns, checkpoint_id, task_id, idx, task_path, channel, type, data FROM checkpoint_writes "
    "WHERE thread_id = ?1",
    "INSERT OR IGNORE INTO checkpoint_tasks (thread_id, ns, checkpoint_id, task_id, patch) "
    "SELECT ?2, ns, checkpoint_id, task_id, patch FROM checkpoint_tasks WHERE thread_id = ?1",
};
// No run of the copy's thread wrote these, so they have no writer.
constexpr std::string_view copy_checkpoint =
    "INSERT OR IGNORE INTO checkpoints (thread_id, ns, checkpoint_id, parent_id, run_id, metadata_run_id, "
    "has_next, "
    "metadata, channel_versions, type, data, projection, cuts) "
    "SELECT ?2, ns, checkpoint_id, parent_id, '', metadata_run_id, has_next, ?5, channel_versions, type, "
    "data, "
    "?6, ?7 FROM checkpoints WHERE thread_id = ?1 AND ns = ?3 AND checkpoint_id = ?4";
constexpr std::string_view select_documents =
    "SELECT ns, checkpoint_id, metadata, projection, cuts FROM checkpoints WHERE thread_id = ? ORDER BY ns, "
    "checkpoint_id";
constexpr std::string_view select_values =
    "SELECT ns, channel, version, type, series, data FROM checkpoint_values WHERE thread_id = ? ORDER BY "
    "rowid";
constexpr std::string_view insert_value =
    "INSERT OR IGNORE INTO checkpoint_values (thread_id, ns, channel, version, type, series, data) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view select_series =
    "SELECT id, loose, ns, channel, kind FROM series WHERE thread_id = ?";
constexpr std::string_view has_series = "SELECT 1 FROM series WHERE thread_id = ? LIMIT 1";
constexpr std::string_view copy_series =
    "INSERT INTO series (thread_id, ns, channel, kind, size, newest) "
    "SELECT ?2, ns, channel, kind, size, newest FROM series WHERE id = ?1 RETURNING id";
constexpr std::string_view copy_parts =
    "INSERT INTO series_parts (series, at, size, data) SELECT ?2, at, size, data FROM series_parts WHERE "
    "series = ?1";

constexpr std::string_view has_any =
    "SELECT 1 FROM checkpoints WHERE thread_id = ?1 UNION ALL SELECT 1 FROM packs WHERE thread_id = ?1 AND "
    "last_checkpoint_id <> '' LIMIT 1";
constexpr std::string_view select_packs =
    "SELECT id FROM packs WHERE thread_id = ? AND last_checkpoint_id <> '' ORDER BY last_checkpoint_id";

// Gives the large values of one thread their places in another.
class SeriesCopy {
 public:
  SeriesCopy(WriteContext& context, const std::string& source, const std::string& target)
      : context_(context), target_(target) {
    for (Query query(context.db, select_series, source); query.next();) {
      auto& series = series_[query.integer()];
      const bool loose = query.flag();
      series.key.thread_id = target;
      series.key.ns = query.text();
      series.key.channel = query.text();
      if (loose) loose_.insert(series.key.ns);
      series.key.kind = query.view() == to_text(SeriesKind::json) ? SeriesKind::json : SeriesKind::blob;
    }
    // A thread that has values of its own gets the others added to them, one by one.
    if (Query query(context.db, has_series, target); !query.next()) copy_whole();
  }

  // Removes what only frames of the source named, which are not copied.
  void finish() {
    context_.series.forget(target_);
    for (const auto& ns : loose_) collect_series(context_, target_, ns);
  }

  delta::Ref place_of(const delta::Ref& ref) {
    const auto found = series_.find(ref.series);
    if (found == series_.end()) return ref;
    if (found->second.copy != 0) return {found->second.copy, ref.recipe};
    return context_.series.add(found->second.key, read_series_value(context_.db, ref), NamedBy::checkpoint);
  }

 private:
  struct Series {
    SeriesKey key;
    std::int64_t copy = 0;
  };

  void copy_whole() {
    for (auto& [id, series] : series_) {
      for (Query query(context_.db, copy_series, id, target_); query.next();) series.copy = query.integer();
      execute(context_.db, copy_parts, id, series.copy);
    }
  }

  WriteContext& context_;
  const std::string& target_;
  std::map<std::int64_t, Series> series_;
  std::set<std::string> loose_;  // namespaces with values that frames alone may name
};

void copy_values(WriteContext& context, const CopyCheckpoints& change, SeriesCopy& series) {
  for (Query query(context.db, select_values, change.source); query.next();) {
    const auto ns = query.text();
    const auto channel = query.text();
    const auto version = query.text();
    const auto type = query.text();
    delta::Ref ref{query.integer(), query.text()};
    if (ref.series != 0) ref = series.place_of(ref);
    execute(context.db, insert_value, change.target, ns, channel, version, type, ref.series,
            Blob{ref.recipe});
  }
}

std::string cuts_for(std::string_view stored, SeriesCopy& series) {
  std::string out;
  std::vector<delta::Cut> cuts;
  if (stored.empty() || !delta::take_cuts(stored, cuts)) return out;
  for (auto& cut : cuts) cut.ref = series.place_of(cut.ref);
  delta::put_cuts(out, cuts);
  return out;
}

// The checkpoints of a pack as they are in the target; no run of its thread wrote them.
pack::Contents copy_of(const pack::Contents& source, const std::string& target, SeriesCopy& series) {
  pack::Contents out{.checkpoints = source.checkpoints,
                     .values = source.values,
                     .writes = source.writes,
                     .tasks = source.tasks};
  for (auto& row : out.checkpoints) {
    row.run_id.clear();
    row.metadata = metadata_in(std::move(row.metadata), target);
    row.projection = projection_in(std::move(row.projection), target);
    row.cuts.bytes = cuts_for(row.cuts.bytes, series);
  }
  for (auto& row : out.values) {
    if (row.series == 0) continue;
    auto place = series.place_of({row.series, std::move(row.data.bytes)});
    row.series = place.series;
    row.data.bytes = std::move(place.recipe);
  }
  return out;
}

void copy_packs(WriteContext& context, const CopyCheckpoints& change, SeriesCopy& series) {
  for (const auto id : pack_ids(context.db, select_packs, change.source)) {
    const auto held = Packs(context.db).load(id);
    if (held.contents) insert_pack(context.db, change.target, copy_of(*held.contents, change.target, series));
  }
}

}  // namespace

void apply(WriteContext& context, const CopyCheckpoints& change) {
  // Where the target has checkpoints, which it keeps, the copies join them one by one.
  if (Query any(context.db, has_any, change.target); any.next()) {
    unpack_thread(context.db, change.source);
    unpack_thread(context.db, change.target);
  }
  SeriesCopy series(context, change.source, change.target);
  copy_packs(context, change, series);
  for (const auto statement : copy_rows) execute(context.db, statement, change.source, change.target);
  copy_values(context, change, series);
  for (Query query(context.db, select_documents, change.source); query.next();) {
    const auto ns = query.text();
    const auto checkpoint_id = query.text();
    const auto metadata = metadata_in(query.text(), change.target);
    const auto projection = projection_in(query.text(), change.target);
    execute(context.db, copy_checkpoint, change.source, change.target, ns, checkpoint_id, metadata,
            projection, Blob{cuts_for(query.view(), series)});
  }
  series.finish();
  context.refresh(change.target);
}

}  // namespace dg::store::sqlite
