#include "store/postgres/search_threads.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "store/postgres/reads.hpp"
#include "store/postgres/reads_rows.hpp"
#include "store/postgres/snapshot.hpp"

namespace dg::store::postgres {
namespace {

// The newest root checkpoint of the thread t.
constexpr std::string_view head =
    "LEFT JOIN LATERAL (SELECT * FROM checkpoints WHERE thread_id = t.id AND checkpoint_ns = '' "
    "ORDER BY checkpoint_id DESC LIMIT 1) AS c ON true";
// The aggregate's version is that of its newest event: facts may have been appended since the row was put.
constexpr std::string_view thread_columns =
    "t.id, t.metadata, t.config, t.status, t.error, t.error_message, t.created_at, t.updated_at, "
    "t.state_updated_at, t.temporary, t.owner, coalesce((SELECT s.version FROM event_streams AS s "
    "WHERE s.aggregate_id = t.id AND s.aggregate_type = 'thread'), 0)";
const std::string select_by_ids = fmt::format(
    "SELECT {}, {} FROM unnest($1::text[]) WITH ORDINALITY AS u(id, place) CROSS JOIN LATERAL "
    "(SELECT * FROM threads WHERE id = u.id OFFSET 0) AS t {} ORDER BY u.place",
    thread_columns, state_columns, head);

// $1 the status, $2 whether temporary threads are asked for, $3 ids, $4 metadata, $5 the owner. The states
// that are repeated are those of an index.
constexpr std::string_view matching =
    "FROM threads AS t WHERE ($1 = '' OR t.status = $1) AND ($2 OR NOT t.temporary OR EXISTS ("
    "SELECT 1 FROM runs AS o WHERE o.thread_id = t.id AND o.status IN ('queued', 'in_progress', "
    "'requires_action') AND o.status = 'requires_action'))";

// Which conditions the database looks at; each combination is a statement of its own, so that indexes are
// used.
struct Conditions {
  bool ids = false;
  bool metadata = false;
  bool owner = false;
};

std::string where(Conditions conditions) {
  return fmt::format("{}{}{}{}", matching, conditions.ids ? " AND t.id = ANY($3)" : "",
                     conditions.metadata ? " AND t.search @> $4" : "",
                     conditions.owner ? " AND t.owner = $5" : "");
}

// Ties are broken by id so that pages do not overlap.
std::string order_by(const ThreadFilter& filter) {
  std::string_view column = filter.sort_by == "thread_id" ? "id" : "updated_at";
  for (const std::string_view known : {"created_at", "state_updated_at", "status"})
    if (filter.sort_by == known) column = known;
  const std::string_view direction = filter.descending ? "DESC" : "ASC";
  return fmt::format("ORDER BY t.{} {}, t.id {}", column, direction, direction);
}

Params params_of(const ThreadFilter& filter, Conditions conditions) {
  const std::string status(filter.status ? to_string(*filter.status) : std::string_view());
  return Params(status, filter.temporary, filter.ids, Jsonb{conditions.metadata ? filter.metadata : "{}"},
                filter.owner);
}

// A row whose state lacks its large channels.
struct StoredThread {
  ThreadRow row;
  std::optional<StoredState> head;
};

StoredThread read_row(Rows& rows, SeriesValues& wanted) {
  using enum domain::ThreadStatus;
  StoredThread out;
  auto& row = out.row;
  row.thread.id = rows.text();
  row.thread.metadata = rows.text();
  row.thread.config = rows.text();
  row.status = enum_from(rows.view(), {idle, busy, interrupted, error});
  auto failure = rows.optional_text();
  auto message = rows.optional_text();
  if (failure) row.error = domain::RunError{std::move(*failure), std::move(message).value_or("")};
  row.thread.created_at = rows.time();
  row.thread.updated_at = rows.time();
  row.state_updated_at = rows.time();
  row.thread.temporary = rows.flag();
  row.thread.owner = rows.optional_text();
  row.thread.version = rows.integer();
  if (!rows.is_null()) out.head = read_state_row(rows, wanted);
  return out;
}

std::vector<StoredThread> read_rows(Rows& rows, SeriesValues& wanted) {
  std::vector<StoredThread> out;
  while (rows.next()) out.push_back(read_row(rows, wanted));
  return out;
}

using StoredPage = Found<StoredThread>;

void finish(StoredPage& page, SeriesValues& values) {
  for (auto& stored : page.rows)
    if (stored.head) stored.row.head = whole_state(std::move(*stored.head), values);
}

std::vector<ThreadRow> rows_of(StoredPage page) {
  std::vector<ThreadRow> out;
  out.reserve(page.rows.size());
  for (auto& stored : page.rows) out.push_back(std::move(stored.row));
  return out;
}

Task<Outcome<StoredPage>> read_by_ids(Snapshot& snapshot, SeriesValues& values,
                                      std::vector<std::string> ids) {
  Pipeline pipeline;
  pipeline.add(select_by_ids, ids);
  auto results = co_await snapshot.run(std::move(pipeline), Snapshot::Then::done);
  if (!results) co_return fail_with(std::move(results.error()));
  co_return StoredPage{read_rows(results->front(), values), 0};
}

// Where the database alone can filter it also counts and pages.
Task<Outcome<StoredPage>> page_in_sql(Snapshot& snapshot, SeriesValues& values, ThreadFilter filter,
                                      Page page) {
  const Conditions conditions{!filter.ids.empty(), !asks_nothing(filter.metadata), filter.owner.has_value()};
  const auto condition = where(conditions);
  const auto order = order_by(filter);
  auto params = params_of(filter, conditions);
  Pipeline pipeline;
  pipeline.add_prepared(fmt::format("SELECT count(*) {}", condition), params);
  params.add(not_negative(page.limit)).add(not_negative(page.offset));
  pipeline.add_prepared(fmt::format("SELECT {}, {} FROM (SELECT t.* {} {} LIMIT $6 OFFSET $7) AS t {} {}",
                                    thread_columns, state_columns, condition, order, head, order),
                        std::move(params));
  snapshot.plan_for_values();
  auto results = co_await snapshot.run(std::move(pipeline), Snapshot::Then::done);
  if (!results) co_return fail_with(std::move(results.error()));
  StoredPage found;
  if (results->front().next()) found.total = results->front().integer();
  found.rows = read_rows(results->back(), values);
  co_return found;
}

// What the database cannot decide about a thread.
struct Candidate {
  std::string id;
  std::string metadata;
  std::optional<std::string> projection;  // of its newest root checkpoint
  std::vector<delta::Cut> cuts;           // those that may matter
};

// The cuts of channels that the filter names; all where none has a name.
std::vector<delta::Cut> cuts_that_matter(std::string_view stored, json::View values, json::View filter) {
  std::vector<delta::Cut> cuts;
  if (stored.empty() || !delta::take_cuts(stored, cuts)) return {};
  const auto members = values.members();
  std::erase_if(cuts, [&](const delta::Cut& cut) {
    return cut.member < members.size() && !filter.find(members[cut.member].key);
  });
  return cuts;
}

Candidate read_candidate(Rows& row, const ThreadFilter& filter, SeriesValues& wanted) {
  Candidate out;
  out.id = row.text();
  out.metadata = row.text();
  out.projection = row.optional_text();
  if (asks_nothing(filter.values) || !out.projection) return out;
  out.cuts = cuts_that_matter(row.view(), json::View(*out.projection)["values"], json::View(filter.values));
  for (const auto& cut : out.cuts) wanted.want(cut.ref);
  return out;
}

bool is_match(const Candidate& candidate, const ThreadFilter& filter, SeriesValues& values) {
  if (!json::contains(json::View(candidate.metadata), json::View(filter.metadata))) return false;
  if (asks_nothing(filter.values)) return true;
  if (!candidate.projection) return false;
  const auto whole = delta::restore(*candidate.projection, json::View(*candidate.projection)["values"],
                                    candidate.cuts, [&](const delta::Ref& ref) { return values.value(ref); });
  return !values.has_failed() && json::contains(json::View(whole)["values"], json::View(filter.values));
}

std::string candidates(Conditions conditions, const ThreadFilter& filter) {
  return fmt::format("SELECT t.id, t.metadata, c.projection, c.cuts FROM (SELECT t.* {}) AS t {} {}",
                     where(conditions), head, order_by(filter));
}

struct Matches {
  std::vector<std::string> ids;  // of the page
  std::int64_t total = 0;
};

// Compares what the database could not, a bounded number of threads at a time.
Task<Outcome<Matches>> match_by_walk(Snapshot& snapshot, ThreadFilter filter, Page page,
                                     bool metadata_in_sql) {
  const Conditions conditions{!filter.ids.empty(), metadata_in_sql && !asks_nothing(filter.metadata),
                              filter.owner.has_value()};
  Walk walk(snapshot, "thread_walk", candidates(conditions, filter), params_of(filter, conditions));
  Matches out;
  for (bool more = true; more;) {
    auto rows = co_await walk.next();
    if (!rows) co_return fail_with(std::move(rows.error()));
    more = rows->size() > 0;
    SeriesValues values;
    std::vector<Candidate> some;
    while (rows->next()) some.push_back(read_candidate(*rows, filter, values));
    if (auto loaded = co_await snapshot.load(values, Snapshot::Then::more); !loaded)
      co_return fail_with(std::move(loaded.error()));
    for (auto& candidate : some) {
      if (!is_match(candidate, filter, values)) continue;
      const std::int64_t place = out.total++;
      if (place >= page.offset && place - page.offset < page.limit)
        out.ids.push_back(std::move(candidate.id));
    }
    if (values.has_failed()) co_return fail_with(values.failure());
  }
  co_return out;
}

Task<Outcome<Found<ThreadRow>>> search_by_walk(Connection& db, ThreadFilter filter, Page page,
                                               bool metadata_in_sql) {
  Snapshot snapshot(db);
  auto matches = co_await match_by_walk(snapshot, std::move(filter), page, metadata_in_sql);
  if (!matches) co_return fail_with(std::move(matches.error()));
  SeriesValues values;
  auto found = co_await read_by_ids(snapshot, values, std::move(matches->ids));
  if (!found) co_return fail_with(std::move(found.error()));
  if (auto loaded = co_await snapshot.load(values, Snapshot::Then::done); !loaded)
    co_return fail_with(std::move(loaded.error()));
  finish(*found, values);
  if (values.has_failed()) co_return fail_with(values.failure());
  co_return Found<ThreadRow>{rows_of(std::move(*found)), matches->total};
}

Task<Outcome<Found<ThreadRow>>> search_in_sql(Connection& db, ThreadFilter filter, Page page) {
  auto found = co_await read_with_values<StoredPage>(
      db,
      [&](Snapshot& snapshot, SeriesValues& values) { return page_in_sql(snapshot, values, filter, page); },
      finish);
  if (!found) co_return fail_with(std::move(found.error()));
  const auto total = found->total;
  co_return Found<ThreadRow>{rows_of(std::move(*found)), total};
}

}  // namespace

Task<Outcome<std::vector<ThreadRow>>> read_thread_rows(Connection& db, std::vector<std::string> ids) {
  auto found = co_await read_with_values<StoredPage>(
      db, [&](Snapshot& snapshot, SeriesValues& values) { return read_by_ids(snapshot, values, ids); },
      finish);
  if (!found) co_return fail_with(std::move(found.error()));
  co_return rows_of(std::move(*found));
}

Task<Outcome<Found<ThreadRow>>> read_threads(Connection& db, ThreadFilter filter, Page page) {
  auto found = asks_nothing(filter.values) ? co_await search_in_sql(db, filter, page)
                                           : co_await search_by_walk(db, filter, page, true);
  if (found || !is_data_exception(found.error())) co_return found;
  // The metadata that is asked for is none that jsonb can hold.
  if (auto back = co_await db.query("ROLLBACK"); !back) co_return fail_with(std::move(back.error()));
  co_return co_await search_by_walk(db, std::move(filter), page, false);
}

}  // namespace dg::store::postgres
