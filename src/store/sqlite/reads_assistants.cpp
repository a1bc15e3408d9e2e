#include <fmt/format.h>

#include "store/sqlite/reads.hpp"
#include "store/sqlite/rows.hpp"

namespace dg::store::sqlite {
namespace {

// The aggregate's version is that of its head: facts may have been appended since the row was put.
constexpr std::string_view columns =
    "id, graph_id, name, description, config, context, metadata, number, newest_number, created_at, "
    "updated_at, owner, "
    "coalesce((SELECT version FROM heads WHERE aggregate_id = assistants.id AND type = 'assistant'), 0)";
const std::string select_one = fmt::format("SELECT {} FROM assistants WHERE id = ?", columns);
const std::string select_matching = fmt::format(
    "SELECT {} FROM assistants WHERE (?1 = '' OR graph_id = ?1) "
    "AND (?2 = '' OR instr(lower(name), lower(?2)) > 0) "
    "AND (?3 IS NULL OR owner IS NULL OR owner = ?3) ORDER BY ",
    columns);
const std::string select_versions = fmt::format(
    "SELECT assistant_id, number, created_at, {} FROM assistant_versions WHERE assistant_id = ?1 "
    "AND (?2 = 0 OR number = ?2) ORDER BY number DESC",
    assistant_content_columns);

std::string_view sort_column(std::string_view name) {
  for (const std::string_view known : {"updated_at", "name", "graph_id"})
    if (name == known) return known;
  return name == "assistant_id" ? "id" : "created_at";
}

bool on_page(std::int64_t place, Page page) {
  return place >= page.offset && place - page.offset < page.limit;
}

}  // namespace

std::optional<domain::Assistant> read_assistant(Database& db, const std::string& id) {
  Query query(db, select_one, id);
  if (!query.next()) return std::nullopt;
  return read_assistant_row(query);
}

Found<domain::Assistant> read_assistants(Database& db, const AssistantFilter& filter, Page page) {
  const std::string_view direction = filter.descending ? "DESC" : "ASC";
  const auto sql =
      fmt::format("{}{} {}, id {}", select_matching, sort_column(filter.sort_by), direction, direction);
  Found<domain::Assistant> found;
  for (Query query(db, sql, filter.graph_id, filter.name, filter.owner); query.next();) {
    auto row = read_assistant_row(query);
    if (!json::contains(json::View(row.content.metadata), json::View(filter.metadata))) continue;
    if (on_page(found.total++, page)) found.rows.push_back(std::move(row));
  }
  return found;
}

std::vector<AssistantVersion> read_assistant_versions(Database& db, const std::string& id,
                                                      const std::string& metadata, Page page) {
  std::vector<AssistantVersion> out;
  std::int64_t place = 0;
  for (Query query(db, select_versions, id, 0); query.next();) {
    auto row = read_assistant_version_row(query);
    if (!json::contains(json::View(row.content.metadata), json::View(metadata))) continue;
    if (on_page(place++, page)) out.push_back(std::move(row));
  }
  return out;
}

std::optional<AssistantVersion> read_assistant_version(Database& db, const std::string& id,
                                                       std::int64_t number) {
  if (number <= 0) return std::nullopt;
  Query query(db, select_versions, id, number);
  if (!query.next()) return std::nullopt;
  return read_assistant_version_row(query);
}

}  // namespace dg::store::sqlite
