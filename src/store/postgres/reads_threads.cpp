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
// One statement sees one moment. There is a row of each id even when there is nothing; it is repeated for
// each open run. The offsets keep the planner from reading tables that it believes to be small as a whole.
const std::string select_now = fmt::format(
    "SELECT one.place, coalesce(s.turn, 0), {}, t.id, t.metadata, t.config, t.created_at, t.updated_at, "
    "t.temporary, t.owner, coalesce(s.version, 0), {} FROM unnest($1::text[]) WITH ORDINALITY AS one (id, "
    "place) "
    "LEFT JOIN LATERAL (SELECT * FROM event_streams AS s WHERE s.aggregate_id = one.id AND "
    "s.aggregate_type = 'thread' OFFSET 0) AS s ON true "
    "LEFT JOIN LATERAL (SELECT * FROM leases AS l WHERE l.thread_id = one.id OFFSET 0) AS l ON true "
    "LEFT JOIN LATERAL (SELECT * FROM threads AS t WHERE t.id = one.id OFFSET 0) AS t ON true "
    "LEFT JOIN LATERAL (SELECT * FROM runs AS r WHERE r.thread_id = one.id AND r.status IN ('queued', "
    "'in_progress', 'requires_action') OFFSET 0) AS r ON true ORDER BY r.id",
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

Task<Outcome<std::vector<ThreadNow>>> read_threads_now(Connection& db, std::vector<std::string> ids) {
  auto rows = co_await db.query(select_now, ids);
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<ThreadNow> out(ids.size());
  while (rows->next()) {
    auto& now = out.at(static_cast<std::size_t>(rows->integer()) - 1);
    read_head(*rows, now.head);
    read_thread_of(*rows, now.thread);
    if (!rows->is_null()) now.open.push_back(read_run_row(*rows));
  }
  co_return out;
}

}  // namespace dg::store::postgres
