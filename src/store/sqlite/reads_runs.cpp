#include <fmt/format.h>

#include <algorithm>

#include "store/sqlite/packs.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/rows.hpp"

namespace dg::store::sqlite {
namespace {

// The aggregate's version is that of its head: facts may have been appended since the row was put.
constexpr std::string_view columns =
    "id, thread_id, assistant_id, graph_id, state, "
    "(SELECT request FROM requests WHERE run_id = r.id), metadata, created_at, updated_at, not_before, "
    "epoch, "
    "attempt, session_id, revision, cancel, has_checkpoint, error, error_message, resumed_by, owner, "
    "coalesce((SELECT version FROM heads WHERE aggregate_id = r.id AND type = 'run'), 0)";
const std::string select_one = fmt::format("SELECT {} FROM runs AS r WHERE id = ?", columns);
// ?1 states and ?2 ids as JSON lists, ?3 and ?4 the page, ?5 the thread, ?6 the owner
constexpr std::string_view any_state_id_and_owner =
    "(?1 = '[]' OR state IN (SELECT value FROM json_each(?1))) AND "
    "(?2 = '[]' OR id IN (SELECT value FROM json_each(?2))) AND "
    "(?6 IS NULL OR owner = ?6)";
const std::string select_all = fmt::format(
    "SELECT {} FROM runs AS r WHERE {} ORDER BY id DESC LIMIT ?3 OFFSET ?4", columns, any_state_id_and_owner);
const std::string select_of_thread =
    fmt::format("SELECT {} FROM runs AS r WHERE thread_id = ?5 AND {} ORDER BY id DESC LIMIT ?3 OFFSET ?4",
                columns, any_state_id_and_owner);
const std::string select_open = fmt::format(
    "SELECT {} FROM runs AS r WHERE thread_id = ? AND "
    "state IN ('queued', 'in_progress', 'requires_action') ORDER BY id",
    columns);
const std::string select_stopping = fmt::format(
    "SELECT {} FROM runs AS r WHERE state = 'in_progress' AND thread_id <> '' AND cancel <> '{}' ORDER BY id",
    columns, to_string(domain::CancelAction::none));
// Nothing but its start and a cancel moves the time of a run in progress.
const std::string select_overdue = fmt::format(
    "SELECT {} FROM runs AS r WHERE state = 'in_progress' AND thread_id <> '' AND cancel = '{}' "
    "AND updated_at < ? ORDER BY updated_at LIMIT ?",
    columns, to_string(domain::CancelAction::none));
// Repeated conditions let the partial indexes answer.
const std::string select_claimable = fmt::format(
    "SELECT {} FROM runs AS r WHERE state = 'queued' AND not_before <= ?1 "
    "AND graph_id IN (SELECT value FROM json_each(?2)) "
    "AND NOT EXISTS (SELECT 1 FROM leases AS l WHERE l.thread_id = r.thread_id) "
    "AND NOT EXISTS (SELECT 1 FROM runs AS o WHERE o.thread_id = r.thread_id "
    "AND o.state = 'in_progress' AND o.thread_id <> '') "
    "AND NOT EXISTS (SELECT 1 FROM runs AS o WHERE o.thread_id = r.thread_id "
    "AND o.state IN ('queued', 'in_progress', 'requires_action') AND o.state = 'queued' "
    "AND CASE WHEN (o.attempt > 0) = (r.attempt > 0) THEN o.id < r.id AND o.not_before <= ?1 "
    "ELSE o.attempt > 0 END) "
    "ORDER BY r.not_before, r.id LIMIT ?3",
    columns);
constexpr std::string_view select_next_due =
    "SELECT not_before FROM runs WHERE state = 'queued' AND not_before > ? ORDER BY not_before LIMIT 1";
// The conditions are those of the partial indexes, which count without reading a row.
constexpr std::string_view count_active =
    "SELECT (SELECT count(*) FROM runs WHERE state = 'queued'), "
    "(SELECT count(*) FROM runs WHERE state = 'in_progress' AND thread_id <> '')";
constexpr std::string_view select_with_frames =
    "SELECT id FROM runs WHERE has_frames = 1 AND state IN ('completed', 'failed', 'cancelled', 'timed_out') "
    "AND resumable = ? AND updated_at < ? ORDER BY updated_at LIMIT ?";
constexpr std::string_view select_events =
    "SELECT id, aggregate, aggregate_id, version, type, payload, metadata, thread_id, seq, at FROM events "
    "WHERE aggregate_id = ? ORDER BY position";

domain::Run read_row(Query& row, Packs& packs) {
  return read_run_row(row, [&packs](std::string_view text, const std::string& run_id) {
    return text.empty() ? domain::RunRequest::from_json(packs.request_of(run_id))
                        : domain::RunRequest::from_json(text);
  });
}

std::vector<domain::Run> read_rows(Database& db, Query& query) {
  Packs packs(db);
  std::vector<domain::Run> out;
  while (query.next()) out.push_back(read_row(query, packs));
  return out;
}

void read_packed_events(Database& db, const std::string& run_id, std::vector<domain::EventRecord>& out) {
  const auto held = Packs(db).of_run(run_id);
  if (!held.contents) return;
  for (const auto& row : held.contents->events) {
    if (row.run_id != run_id) continue;
    out.push_back({row.id, domain::AggregateType::run, run_id, row.version, row.type, row.payload,
                   row.metadata, held.thread_id, row.seq, from_micros(row.at)});
  }
}

}  // namespace

std::optional<domain::Run> read_run(Database& db, const std::string& id) {
  Query query(db, select_one, id);
  if (!query.next()) return std::nullopt;
  Packs packs(db);
  return read_row(query, packs);
}

std::vector<domain::Run> read_runs(Database& db, const RunFilter& filter, Page page) {
  std::vector<std::string> states;
  states.reserve(filter.states.size());
  for (const auto state : filter.states) states.emplace_back(to_string(state));
  const auto limit = std::max<std::int64_t>(page.limit, 0);
  Query query(db, filter.thread_id.empty() ? select_all : select_of_thread, json_list(states),
              json_list(filter.ids), limit, page.offset, filter.thread_id, filter.owner);
  return read_rows(db, query);
}

std::vector<domain::Run> read_open_runs(Database& db, const std::string& thread_id) {
  Query query(db, select_open, thread_id);
  return read_rows(db, query);
}

std::vector<domain::Run> read_stopping_runs(Database& db) {
  Query query(db, select_stopping);
  return read_rows(db, query);
}

std::vector<domain::Run> read_overdue_runs(Database& db, WallTime begun_before, std::int64_t limit) {
  Query query(db, select_overdue, begun_before, limit);
  return read_rows(db, query);
}

std::vector<domain::Run> read_claimable_runs(Database& db, const std::vector<std::string>& graph_ids,
                                             WallTime now, std::int64_t limit) {
  Query query(db, select_claimable, now, json_list(graph_ids), std::max<std::int64_t>(limit, 0));
  return read_rows(db, query);
}

std::optional<WallTime> read_next_due(Database& db, WallTime now) {
  Query query(db, select_next_due, now);
  if (!query.next()) return std::nullopt;
  return query.time();
}

ActiveRuns read_active_runs(Database& db) {
  Query query(db, count_active);
  if (!query.next()) return {};
  ActiveRuns runs;
  runs.queued = query.integer();
  runs.in_progress = query.integer();
  return runs;
}

std::vector<std::string> read_runs_with_frames(Database& db, WallTime ended, bool resumable,
                                               std::int64_t limit) {
  std::vector<std::string> out;
  for (Query query(db, select_with_frames, resumable, ended, std::max<std::int64_t>(limit, 0)); query.next();)
    out.push_back(query.text());
  return out;
}

std::vector<domain::EventRecord> read_events(Database& db, const std::string& aggregate_id) {
  std::vector<domain::EventRecord> out;
  read_packed_events(db, aggregate_id, out);
  for (Query query(db, select_events, aggregate_id); query.next();) out.push_back(read_event_row(query));
  return out;
}

}  // namespace dg::store::sqlite
