#include <set>
#include <utility>
#include <vector>

#include "store/frame_codec.hpp"
#include "store/sqlite/apply.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_last =
    "SELECT first_no + count, pending FROM segments WHERE run_id = ? ORDER BY first_no DESC LIMIT 1";
constexpr std::string_view insert_segment =
    "INSERT INTO segments (run_id, first_no, count, first_seq, pending, data, cuts) VALUES (?, ?, ?, ?, ?, "
    "?, ?)";
constexpr std::string_view set_has_frames =
    "UPDATE runs SET has_frames = ?2 WHERE id = ?1 AND has_frames <> ?2";
constexpr std::string_view delete_all = "DELETE FROM segments WHERE run_id = ?";
constexpr std::string_view select_sizes =
    "SELECT first_no, length(data) FROM segments WHERE run_id = ? AND first_no >= ? ORDER BY first_no";
constexpr std::string_view select_first_pending =
    "SELECT first_no FROM segments WHERE run_id = ? ORDER BY first_no DESC LIMIT 1 OFFSET ?";
constexpr std::string_view select_range =
    "SELECT first_seq, count, data, cuts FROM segments WHERE run_id = ? AND first_no BETWEEN ? AND ? ORDER "
    "BY first_no";
constexpr std::string_view delete_range =
    "DELETE FROM segments WHERE run_id = ? AND first_no BETWEEN ? AND ?";

constexpr std::string_view select_cuts = "SELECT cuts FROM segments WHERE run_id = ? AND length(cuts) > 0";
constexpr std::string_view select_loose = "SELECT thread_id, ns FROM series WHERE id = ? AND loose <> 0";
constexpr std::string_view settle =
    "UPDATE segments SET pending = 0 WHERE run_id = ? AND first_no >= ? AND pending <> 0";

constexpr std::int64_t merge_every = 64;
constexpr std::int64_t max_merged_bytes = std::int64_t{1} << 20;

// The mode and the namespace of a frame: values, or values|a:1.
std::pair<std::string_view, std::string_view> split_event(std::string_view event) {
  const auto bar = event.find('|');
  if (bar == std::string_view::npos) return {event, {}};
  return {event.substr(0, bar), event.substr(bar + 1)};
}

// Adjacent segments that become one.
struct Group {
  std::int64_t first_no = 0;
  std::int64_t last_first_no = 0;
  std::int64_t bytes = 0;
  std::int64_t members = 0;
};

// Groups the run's segments from `from` on so that each group stays below the bound.
std::vector<Group> plan_groups(Database& db, std::string_view run_id, std::int64_t from) {
  std::vector<Group> groups;
  for (Query query(db, select_sizes, run_id, from); query.next();) {
    const std::int64_t first_no = query.integer();
    const std::int64_t bytes = query.integer();
    if (groups.empty() || groups.back().bytes + bytes > max_merged_bytes)
      groups.push_back({.first_no = first_no});
    Group& group = groups.back();
    group.last_first_no = first_no;
    group.bytes += bytes;
    ++group.members;
  }
  return groups;
}

void merge_group(Database& db, std::string_view run_id, const Group& group) {
  MergedSegment merged;
  for (Query query(db, select_range, run_id, group.first_no, group.last_first_no); query.next();) {
    const std::int64_t first_seq = query.integer();
    const std::int64_t count = query.integer();
    const auto data = query.view();
    if (!merged.add(first_seq, count, data, query.view())) return;
  }
  execute(db, delete_range, run_id, group.first_no, group.last_first_no);
  execute(db, insert_segment, run_id, group.first_no, merged.count(), merged.first_seq(), 0,
          Blob{merged.data()}, Blob{merged.cuts()});
}

void merge_from(Database& db, std::string_view run_id, std::int64_t from) {
  for (const auto& group : plan_groups(db, run_id, from))
    if (group.members > 1) merge_group(db, run_id, group);
  execute(db, settle, run_id, from);
}

// A values frame is a state, of which little changes from one to the next.
delta::CutDocument cut_frame(WriteContext& context, const std::string& thread_id, const Frame& frame) {
  constexpr std::string_view values = "values";
  const auto [mode, ns] = split_event(frame.event);
  if (mode != values || thread_id.empty() || frame.data.size() < delta::smallest_cut) return {frame.data, {}};
  return delta::cut(frame.data, json::View(frame.data),
                    [&](const std::string& member, std::string_view value) {
                      return context.series.add({thread_id, std::string(ns), member, SeriesKind::json}, value,
                                                NamedBy::frame);
                    });
}

}  // namespace

void apply(WriteContext& context, const AppendFrames& change) {
  std::int64_t first_no = 0;
  std::int64_t pending = 0;
  if (Query query(context.db, select_last, change.run_id); query.next()) {
    first_no = query.integer();
    pending = query.integer();
  }
  context.result.first_frames.push_back(first_no);
  if (change.frames.empty()) return;

  const auto count = static_cast<std::int64_t>(change.frames.size());
  const std::int64_t first_seq =
      change.thread_id.empty() ? 0 : take_places(context.db, change.thread_id, count, 0);
  std::string data;
  FrameCuts cuts;
  std::int64_t offset = 0;
  for (const auto& frame : change.frames) {
    auto cut = cut_frame(context, change.thread_id, frame);
    if (!cut.cuts.empty()) cuts[static_cast<std::uint64_t>(offset)] = std::move(cut.cuts);
    encode_frame(data, {frame.event, std::move(cut.text)}, offset++);
  }
  ++pending;
  execute(context.db, insert_segment, change.run_id, first_no, count, first_seq, pending, Blob{data},
          Blob{encode_cuts(cuts)});
  if (first_no == 0) execute(context.db, set_has_frames, change.run_id, true);
  if (pending < merge_every) return;

  std::int64_t from = 0;
  if (Query query(context.db, select_first_pending, change.run_id, pending - 1); query.next())
    from = query.integer();
  merge_from(context.db, change.run_id, from);
}

void apply(WriteContext& context, const EraseFrames& change) {
  std::set<std::int64_t> named;
  for (const auto& run_id : change.run_ids) {
    for (Query query(context.db, select_cuts, run_id); query.next();)
      for (const auto& [place, cuts] : decode_cuts(query.view()))
        for (const auto& cut : cuts) named.insert(cut.ref.series);
    execute(context.db, delete_all, run_id);
    execute(context.db, set_has_frames, run_id, false);
  }
  for (const auto series : named) {
    Query query(context.db, select_loose, series);
    if (!query.next()) continue;
    const auto thread_id = query.text();
    collect_series(context, thread_id, query.text());
  }
}

void merge_segments(Database& db, std::string_view run_id) {
  merge_from(db, run_id, 0);
}

}  // namespace dg::store::sqlite
