#include "store/sqlite/reads.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "store/sqlite/rows.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_one =
    "SELECT id, metadata, config, status, error, error_message, created_at, updated_at, state_updated_at, "
    "temporary, owner, "
    "coalesce((SELECT version FROM heads WHERE aggregate_id = threads.id AND type = 'thread'), 0) "
    "FROM threads WHERE id = ?";
// The states in the EXISTS are those of an index.
constexpr std::string_view matching =
    "FROM threads WHERE (?1 = '' OR status = ?1) "
    "AND (?2 = '[]' OR id IN (SELECT value FROM json_each(?2))) "
    "AND (?3 OR temporary = 0 OR EXISTS (SELECT 1 FROM runs WHERE thread_id = threads.id AND state IN "
    "('queued', "
    "'in_progress', 'requires_action') AND state = 'requires_action')) "
    "AND (?4 IS NULL OR owner = ?4)";
constexpr std::string_view select_turn = "SELECT turn FROM heads WHERE aggregate_id = ? AND type = 'thread'";
const std::string select_lease = fmt::format("SELECT {} FROM leases WHERE thread_id = ?", lease_columns);

// A thread's row holds one order of each kind; ties are broken by id so that pages do not overlap.
std::string order_by(const ThreadFilter& filter) {
  std::string_view column = "updated_at";
  if (filter.sort_by == "thread_id") column = "id";
  for (const std::string_view known : {"created_at", "state_updated_at", "status"})
    if (filter.sort_by == known) column = known;
  const std::string_view direction = filter.descending ? "DESC" : "ASC";
  return fmt::format("ORDER BY {} {}, id {}", column, direction, direction);
}

bool is_empty(std::string_view json) {
  return json::View(json).members().empty();
}

bool values_match(Database& db, const std::string& thread_id, const std::string& wanted) {
  const auto head = read_state(db, {thread_id, "", ""});
  if (!head) return false;
  return json::contains(json::View(head->projection)["values"], json::View(wanted));
}

struct Matches {
  std::vector<std::string> ids;  // of the page
  std::int64_t total = 0;
};

// Where the database alone can filter it also counts and pages.
Matches page_in_sql(Database& db, const ThreadFilter& filter, const std::string& status,
                    const std::string& ids, Page page) {
  Matches out;
  if (Query query(db, fmt::format("SELECT count(*) {}", matching), status, ids, filter.temporary,
                  filter.owner);
      query.next())
    out.total = query.integer();
  const auto sql = fmt::format("SELECT id {} {} LIMIT ?5 OFFSET ?6", matching, order_by(filter));
  for (Query query(db, sql, status, ids, filter.temporary, filter.owner,
                   std::max<std::int64_t>(page.limit, 0), page.offset);
       query.next();)
    out.ids.push_back(query.text());
  return out;
}

Matches page_by_scan(Database& db, const ThreadFilter& filter, const std::string& status,
                     const std::string& ids, Page page) {
  Matches out;
  const bool any_values = is_empty(filter.values);
  const auto sql = fmt::format("SELECT id, metadata {} {}", matching, order_by(filter));
  for (Query query(db, sql, status, ids, filter.temporary, filter.owner); query.next();) {
    auto id = query.text();
    if (!json::contains(json::View(query.view()), json::View(filter.metadata))) continue;
    if (!any_values && !values_match(db, id, filter.values)) continue;
    const std::int64_t place = out.total++;
    if (place >= page.offset && place - page.offset < page.limit) out.ids.push_back(std::move(id));
  }
  return out;
}

}  // namespace

namespace {

// The row without its state.
std::optional<ThreadRow> read_row(Database& db, const std::string& id) {
  using enum domain::ThreadStatus;
  Query query(db, select_one, id);
  if (!query.next()) return std::nullopt;
  ThreadRow row;
  row.thread.id = query.text();
  row.thread.metadata = query.text();
  row.thread.config = query.text();
  row.status = enum_from(query.view(), {idle, busy, interrupted, error});
  auto failure = query.optional_text();
  auto message = query.optional_text();
  if (failure) row.error = domain::RunError{std::move(*failure), std::move(message).value_or("")};
  row.thread.created_at = query.time();
  row.thread.updated_at = query.time();
  row.state_updated_at = query.time();
  row.thread.temporary = query.flag();
  row.thread.owner = query.optional_text();
  row.thread.version = query.integer();
  return row;
}

}  // namespace

std::optional<ThreadRow> read_thread(Database& db, const std::string& id) {
  auto row = read_row(db, id);
  if (row) row->head = read_state(db, {id, "", ""});
  return row;
}

Found<ThreadRow> read_threads(Database& db, const ThreadFilter& filter, Page page) {
  const std::string status(filter.status ? to_string(*filter.status) : std::string_view());
  const auto ids = json_list(filter.ids);
  const bool in_sql = is_empty(filter.metadata) && is_empty(filter.values);
  const auto matches =
      in_sql ? page_in_sql(db, filter, status, ids, page) : page_by_scan(db, filter, status, ids, page);
  Found<ThreadRow> found;
  found.total = matches.total;
  for (const auto& id : matches.ids)
    if (auto row = read_thread(db, id)) found.rows.push_back(std::move(*row));
  return found;
}

ThreadHead read_thread_head(Database& db, const std::string& id) {
  ThreadHead head;
  if (Query query(db, select_turn, id); query.next()) head.turn = query.integer();
  if (Query query(db, select_lease, id); query.next()) head.lease = read_lease(query);
  return head;
}

ThreadNow read_thread_now(Database& db, const std::string& id) {
  ThreadNow now{read_thread_head(db, id), std::nullopt, read_open_runs(db, id)};
  if (auto row = read_row(db, id)) now.thread = std::move(row->thread);
  return now;
}

}  // namespace dg::store::sqlite
