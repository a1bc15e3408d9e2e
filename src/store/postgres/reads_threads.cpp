#include "store/postgres/reads.hpp"

#include <fmt/format.h>

#include "store/postgres/reads_rows.hpp"
#include "store/postgres/search_threads.hpp"

namespace dg::store::postgres {
namespace {

const std::string select_thread_head = fmt::format(
    "SELECT coalesce((SELECT s.turn FROM event_streams AS s WHERE s.aggregate_id = $1 AND s.aggregate_type = "
    "'thread'), 0), {} FROM (SELECT) AS one LEFT JOIN leases AS l ON l.thread_id = $1",
    lease_columns);
// One statement sees one moment. There is a row even when there is nothing; it is repeated for each open run.
const std::string select_now = fmt::format(
    "SELECT coalesce(s.turn, 0), {}, t.id, t.metadata, t.config, t.created_at, t.updated_at, t.temporary, "
    "t.owner, coalesce(s.version, 0), {} FROM (SELECT) AS one "
    "LEFT JOIN event_streams AS s ON s.aggregate_id = $1 AND s.aggregate_type = 'thread' "
    "LEFT JOIN leases AS l ON l.thread_id = $1 LEFT JOIN threads AS t ON t.id = $1 "
    "LEFT JOIN runs AS r ON r.thread_id = $1 AND r.status IN ('queued', 'in_progress', 'requires_action') "
    "ORDER BY r.id",
    lease_columns, run_columns);
constexpr int thread_column_count = 8;  // of select_now

void read_head(Rows& row, ThreadHead& head) {
  head.turn = row.integer();
  if (row.is_null()) return skip(row, lease_column_count);
  head.lease = read_lease(row);
}

void read_thread_of(Rows& row, std::optional<domain::Thread>& out) {
  if (row.is_null()) return skip(row, thread_column_count);
  auto& thread = out.emplace();
  thread.id = row.text();
  thread.metadata = row.text();
  thread.config = row.text();
  thread.created_at = row.time();
  thread.updated_at = row.time();
  thread.temporary = row.flag();
  thread.owner = row.optional_text();
  thread.version = row.integer();
}

}  // namespace

Task<Outcome<std::optional<ThreadRow>>> read_thread(Connection& db, std::string id) {
  auto found = co_await read_thread_rows(db, {std::move(id)});
  if (!found) co_return fail_with(std::move(found.error()));
  if (found->empty()) co_return std::nullopt;
  co_return std::move(found->front());
}

Task<Outcome<ThreadHead>> read_thread_head(Connection& db, std::string id) {
  auto rows = co_await db.query(select_thread_head, id);
  if (!rows) co_return fail_with(std::move(rows.error()));
  ThreadHead head;
  if (rows->next()) read_head(*rows, head);
  co_return head;
}

Task<Outcome<ThreadNow>> read_thread_now(Connection& db, std::string id) {
  auto rows = co_await db.query(select_now, id);
  if (!rows) co_return fail_with(std::move(rows.error()));
  ThreadNow now;
  while (rows->next()) {
    read_head(*rows, now.head);
    read_thread_of(*rows, now.thread);
    if (!rows->is_null()) now.open.push_back(read_run_row(*rows));
  }
  co_return now;
}

}  // namespace dg::store::postgres
