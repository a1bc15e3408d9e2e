#include <fmt/format.h>

#include "store/postgres/reads.hpp"
#include "store/postgres/reads_rows.hpp"

namespace dg::store::postgres {
namespace {

const std::string select_of = fmt::format("SELECT {} FROM runs AS r WHERE r.id = ANY($1)", run_columns);
const std::string select_open = fmt::format(
    "SELECT {} FROM runs AS r WHERE r.thread_id = $1 AND r.status IN ('queued', 'in_progress', "
    "'requires_action') ORDER BY r.id",
    run_columns);
const std::string select_stopping = fmt::format(
    "SELECT {} FROM runs AS r WHERE r.status = 'in_progress' AND r.thread_id <> '' AND r.cancel <> '{}' "
    "ORDER BY r.id",
    run_columns, to_string(domain::CancelAction::none));
// Nothing but its start and a cancel moves the time of a run in progress.
const std::string select_overdue = fmt::format(
    "SELECT {} FROM runs AS r WHERE r.status = 'in_progress' AND r.thread_id <> '' AND r.cancel = '{}' "
    "AND r.updated_at < $1 ORDER BY r.updated_at LIMIT $2",
    run_columns, to_string(domain::CancelAction::none));
// Each graph's queue is walked in order until the limit is reached. The offsets keep the questions about each
// run questions, which partial indexes answer; as joins they might be answered by reading the table.
// A status with nothing added is no condition that the indexes of the queue, which know no threads, could be
// used for. What another session has locked is left out, and as many are locked as are taken: row locks would
// do the same, but also hold up the commit that starts the run.
const std::string select_claimable = fmt::format(
    "WITH candidate AS MATERIALIZED (SELECT r.id FROM (SELECT DISTINCT graph_id FROM unnest($2::text[]) AS "
    "u(graph_id)) AS g CROSS JOIN "
    "LATERAL ("
    "SELECT r.id, r.not_before FROM runs AS r WHERE r.status = 'queued' AND r.graph_id = g.graph_id AND "
    "r.not_before <= $1 "
    "AND NOT EXISTS (SELECT 1 FROM leases AS l WHERE l.thread_id = r.thread_id OFFSET 0) "
    "AND NOT EXISTS (SELECT 1 FROM runs AS o WHERE o.thread_id = r.thread_id AND o.status = 'in_progress' "
    "AND o.thread_id <> '' OFFSET 0) "
    "AND NOT EXISTS (SELECT 1 FROM runs AS o WHERE o.thread_id = r.thread_id AND o.status || '' = 'queued' "
    "AND o.status IN ('queued', 'in_progress', 'requires_action') "
    "AND CASE WHEN (o.attempt > 0) = (r.attempt > 0) THEN o.id < r.id AND o.not_before <= $1 "
    "ELSE o.attempt > 0 END OFFSET 0) "
    "ORDER BY r.not_before, r.id LIMIT $4) AS r ORDER BY r.not_before, r.id LIMIT $4), "
    "taken AS MATERIALIZED (SELECT id FROM candidate WHERE "
    "pg_try_advisory_xact_lock(hashtextextended('duragraph claim ' || id, 0)) LIMIT $3) "
    "SELECT {} FROM taken JOIN runs AS r ON r.id = taken.id ORDER BY r.not_before, r.id",
    run_columns);
// How many are looked at for each one that is taken.
constexpr std::int64_t candidates = 4;
constexpr std::string_view select_next_due =
    "SELECT not_before FROM runs WHERE status = 'queued' AND not_before > $1 ORDER BY not_before LIMIT 1";
// The conditions are those of partial indexes.
constexpr std::string_view count_active =
    "SELECT (SELECT count(*) FROM runs WHERE status = 'queued'), "
    "(SELECT count(*) FROM runs WHERE status = 'in_progress' AND thread_id <> '')";
constexpr std::string_view select_with_frames =
    "SELECT id FROM runs WHERE has_frames AND status IN ('completed', 'failed', 'cancelled', 'timed_out') "
    "AND resumable = $1 AND updated_at < $2 ORDER BY updated_at LIMIT $3";
constexpr std::string_view select_events =
    "SELECT event_id, 'run' AS type, run_id, event_version AS version, event_type, payload, metadata, "
    "thread_id, "
    "seq, occurred_at FROM run_events WHERE run_id = $1 "
    "UNION ALL SELECT event_id, aggregate_type, aggregate_id, event_version, event_type, payload, metadata, "
    "thread_id, seq, occurred_at FROM events WHERE aggregate_id = $1 ORDER BY type, version";

// $1 the thread, $2 states, $3 ids, $4 and $5 the page, $6 the owner
std::string select_runs(const RunFilter& filter) {
  return fmt::format(
      "SELECT {} FROM runs AS r WHERE (cardinality($2::text[]) = 0 OR r.status = ANY($2)){}{}{} ORDER BY "
      "r.id "
      "DESC "
      "LIMIT $4 OFFSET $5",
      run_columns, filter.thread_id.empty() ? "" : " AND r.thread_id = $1",
      filter.ids.empty() ? "" : " AND r.id = ANY($3)", filter.owner ? " AND r.owner = $6" : "");
}

Task<Outcome<std::vector<domain::Run>>> rows_of(Task<Outcome<Rows>> query) {
  auto rows = co_await std::move(query);
  if (!rows) co_return fail_with(std::move(rows.error()));
  co_return read_run_rows(*rows);
}

}  // namespace

Task<Outcome<std::vector<std::optional<domain::Run>>>> read_runs_of(Connection& db,
                                                                    std::vector<std::string> ids) {
  auto rows = co_await db.query(select_of, ids);
  if (!rows) co_return fail_with(std::move(rows.error()));
  co_return in_order_of(ids, read_run_rows(*rows));
}

Task<Outcome<std::vector<domain::Run>>> read_runs(Connection& db, RunFilter filter, Page page) {
  std::vector<std::string> states;
  states.reserve(filter.states.size());
  for (const auto state : filter.states) states.emplace_back(to_string(state));
  return rows_of(db.query(select_runs(filter), filter.thread_id, states, filter.ids, not_negative(page.limit),
                          not_negative(page.offset), filter.owner));
}

Task<Outcome<std::vector<domain::Run>>> read_open_runs(Connection& db, std::string thread_id) {
  return rows_of(db.query(select_open, thread_id));
}

Task<Outcome<std::vector<domain::Run>>> read_stopping_runs(Connection& db) {
  return rows_of(db.query(select_stopping));
}

Task<Outcome<std::vector<domain::Run>>> read_overdue_runs(Connection& db, WallTime begun_before,
                                                          std::int64_t limit) {
  return rows_of(db.query(select_overdue, begun_before, limit));
}

Task<Outcome<std::vector<domain::Run>>> read_claimable_runs(Connection& db,
                                                            std::vector<std::string> graph_ids, WallTime now,
                                                            std::int64_t limit) {
  Pipeline pipeline;
  pipeline.add("BEGIN");
  const auto select = pipeline.add_prepared(
      select_claimable,
      Params().add(now).add(graph_ids).add(not_negative(limit)).add(not_negative(limit) * candidates));
  auto results = co_await db.run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  co_return read_run_rows((*results)[select]);
}

Task<Outcome<std::optional<WallTime>>> read_next_due(Connection& db, WallTime now) {
  auto rows = co_await db.query(select_next_due, now);
  if (!rows) co_return fail_with(std::move(rows.error()));
  if (!rows->next()) co_return std::nullopt;
  co_return rows->time();
}

Task<Outcome<ActiveRuns>> read_active_runs(Connection& db) {
  auto rows = co_await db.query(count_active);
  if (!rows) co_return fail_with(std::move(rows.error()));
  ActiveRuns active;
  if (!rows->next()) co_return active;
  active.queued = rows->integer();
  active.in_progress = rows->integer();
  co_return active;
}

Task<Outcome<std::vector<std::string>>> read_runs_with_frames(Connection& db, WallTime ended, bool resumable,
                                                              std::int64_t limit) {
  auto rows = co_await db.query(select_with_frames, resumable, ended, not_negative(limit));
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<std::string> out;
  while (rows->next()) out.push_back(rows->text());
  co_return out;
}

Task<Outcome<std::vector<domain::EventRecord>>> read_events(Connection& db, std::string aggregate_id) {
  auto rows = co_await db.query(select_events, aggregate_id);
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<domain::EventRecord> out;
  while (rows->next()) out.push_back(read_event_row(*rows));
  co_return out;
}

}  // namespace dg::store::postgres
