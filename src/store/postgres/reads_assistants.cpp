#include <fmt/format.h>

#include "base/json.hpp"
#include "store/postgres/reads.hpp"
#include "store/postgres/reads_rows.hpp"
#include "store/postgres/snapshot.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view content_columns = "graph_id, name, description, config, context, metadata";
// The aggregate's version is that of its newest event: facts may have been appended since the row was put.
const std::string columns = fmt::format(
    "id, {}, version, newest_version, created_at, updated_at, owner, coalesce((SELECT s.version FROM "
    "event_streams AS s "
    "WHERE s.aggregate_id = a.id AND s.aggregate_type = 'assistant'), 0)",
    content_columns);
const std::string select_of = fmt::format("SELECT {} FROM assistants AS a WHERE id = ANY($1)", columns);
// Letters are compared without case where they are ASCII.
constexpr std::string_view matching =
    "FROM assistants AS a WHERE ($1 = '' OR graph_id = $1) "
    "AND ($2 = '' OR strpos(lower(name), lower($2 COLLATE \"C\")) > 0) "
    "AND ($3::text IS NULL OR owner IS NULL OR owner = $3)";
constexpr std::string_view with_metadata = " AND search @> $4";
const std::string select_versions = fmt::format(
    "SELECT assistant_id, version, created_at, {} FROM assistant_versions WHERE assistant_id = $1 "
    "AND ($2 = 0 OR version = $2) ORDER BY version DESC",
    content_columns);
const std::string select_versions_page = select_versions + " LIMIT $3 OFFSET $4";

std::string order_by(const AssistantFilter& filter) {
  std::string_view column = filter.sort_by == "assistant_id" ? "id" : "created_at";
  for (const std::string_view known : {"updated_at", "name", "graph_id"})
    if (filter.sort_by == known) column = known;
  const std::string_view direction = filter.descending ? "DESC" : "ASC";
  return fmt::format(" ORDER BY {} {}, id {}", column, direction, direction);
}

bool on_page(std::int64_t place, Page page) {
  return place >= page.offset && place - page.offset < page.limit;
}

bool has_metadata(const std::string& metadata, const std::string& wanted) {
  return json::contains(json::View(metadata), json::View(wanted));
}

Task<Outcome<Found<domain::Assistant>>> page_in_sql(Connection& db, AssistantFilter filter, Page page) {
  const bool any = asks_nothing(filter.metadata);
  const auto where = any ? std::string_view() : with_metadata;
  const Jsonb metadata{any ? "{}" : filter.metadata};
  Pipeline pipeline;
  pipeline.add(fmt::format("SELECT count(*) {}{}", matching, where), filter.graph_id, filter.name,
               filter.owner, metadata);
  pipeline.add(fmt::format("SELECT {} {}{}{} LIMIT $5 OFFSET $6", columns, matching, where, order_by(filter)),
               filter.graph_id, filter.name, filter.owner, metadata, not_negative(page.limit),
               not_negative(page.offset));
  Snapshot snapshot(db, Snapshot::Hold::for_rows);
  snapshot.plan_for_values();
  auto results = co_await snapshot.run(std::move(pipeline), Snapshot::Then::done);
  if (!results) co_return fail_with(std::move(results.error()));
  Found<domain::Assistant> found;
  if (auto& count = results->front(); count.next()) found.total = count.integer();
  for (auto& rows = results->back(); rows.next();) found.rows.push_back(read_assistant_row(rows));
  co_return found;
}

// For metadata that jsonb cannot hold.
Task<Outcome<Found<domain::Assistant>>> page_by_walk(Connection& db, AssistantFilter filter, Page page) {
  Snapshot snapshot(db);
  Walk walk(snapshot, "assistant_walk", fmt::format("SELECT {} {}{}", columns, matching, order_by(filter)),
            Params(filter.graph_id, filter.name, filter.owner));
  Found<domain::Assistant> found;
  for (bool more = true; more;) {
    auto rows = co_await walk.next();
    if (!rows) co_return fail_with(std::move(rows.error()));
    more = rows->size() > 0;
    while (rows->next()) {
      auto row = read_assistant_row(*rows);
      if (!has_metadata(row.content.metadata, filter.metadata)) continue;
      if (on_page(found.total++, page)) found.rows.push_back(std::move(row));
    }
  }
  if (auto ended = co_await snapshot.end(); !ended) co_return fail_with(std::move(ended.error()));
  co_return found;
}

}  // namespace

Task<Outcome<std::vector<std::optional<domain::Assistant>>>> read_assistants_of(
    Connection& db, std::vector<std::string> ids) {
  auto rows = co_await db.query(select_of, ids);
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<domain::Assistant> found;
  while (rows->next()) found.push_back(read_assistant_row(*rows));
  co_return in_order_of(ids, std::move(found));
}

Task<Outcome<Found<domain::Assistant>>> read_assistants(Connection& db, AssistantFilter filter, Page page) {
  auto found = co_await page_in_sql(db, filter, page);
  if (found || !is_data_exception(found.error())) co_return found;
  if (auto back = co_await db.query("ROLLBACK"); !back) co_return fail_with(std::move(back.error()));
  co_return co_await page_by_walk(db, std::move(filter), page);
}

Task<Outcome<std::vector<AssistantVersion>>> read_assistant_versions(Connection& db, std::string id,
                                                                     std::string metadata, Page page) {
  const bool any = asks_nothing(metadata);
  auto rows = any ? co_await db.query(select_versions_page, id, 0, not_negative(page.limit),
                                      not_negative(page.offset))
                  : co_await db.query(select_versions, id, 0);
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<AssistantVersion> out;
  for (std::int64_t place = 0; rows->next();) {
    auto row = read_assistant_version_row(*rows);
    if (any || (has_metadata(row.content.metadata, metadata) && on_page(place++, page)))
      out.push_back(std::move(row));
  }
  co_return out;
}

Task<Outcome<std::optional<AssistantVersion>>> read_assistant_version(Connection& db, std::string id,
                                                                      std::int64_t number) {
  if (number <= 0) co_return std::nullopt;
  auto rows = co_await db.query(select_versions, id, number);
  if (!rows) co_return fail_with(std::move(rows.error()));
  if (!rows->next()) co_return std::nullopt;
  co_return read_assistant_version_row(*rows);
}

}  // namespace dg::store::postgres
