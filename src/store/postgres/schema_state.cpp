#include "store/postgres/schema_state.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/env.hpp"
#include "store/postgres/schema.hpp"

namespace dg::store::postgres {
namespace {

using Kind = SchemaState::Kind;

constexpr int oldest_version = 140000;
// Relations that the original has under these names and we have not.
constexpr std::string_view original_relations[] = {"execution_history", "task_assignments",
                                                   "event_statistics", "run_status_view"};
constexpr std::string_view migrations_table = "schema_migrations";

constexpr std::string_view select_encoding = "SELECT current_setting('server_encoding')";
constexpr std::string_view select_relations =
    "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname = ANY($1) "
    "ORDER BY 1";
constexpr std::string_view select_columns =
    "SELECT (c.relname || '.' || a.attname)::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = "
    "a.attrelid "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = current_schema() AND c.relname = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped";
constexpr std::string_view select_applied =
    "SELECT version, coalesce(checksum, ''), schema_number FROM schema_migrations ORDER BY version";

struct Applied {
  std::string checksum;  // empty: applied by hand
  std::int64_t schema = 0;
};
using AppliedFiles = std::map<std::int64_t, Applied>;  // by their numbers

// Names of relations, and of columns as "table.column".
using Names = std::vector<std::string>;

bool contains(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

Names names_in(Rows rows) {
  Names names;
  while (rows.next()) names.push_back(rows.text());
  return names;
}

SchemaState of_kind(Kind kind, std::string message) {
  SchemaState state;
  state.kind = kind;
  state.message = std::move(message);
  return state;
}

SchemaState without_ours(const Names& relations, const Names& columns) {
  const bool marked = std::ranges::any_of(
      original_relations, [&](std::string_view relation) { return contains(relations, relation); });
  // Runs that belong to threads, and are not ours.
  const bool its_runs = contains(columns, "runs.thread_id") && !contains(columns, "runs.graph_id");
  if (marked || its_runs)
    return of_kind(
        Kind::original,
        "this is a database of the original DuraGraph, the one written in Go, whose tables this program "
        "cannot use. Make an empty database, name it in DATABASE_URL or DB_NAME, and run `duragraph db "
        "migrate`");
  if (!relations.empty())
    return of_kind(
        Kind::foreign,
        fmt::format("the database has tables of another program under names that DuraGraph needs ({}). Make "
                    "an empty database, name it in DATABASE_URL or DB_NAME, and run `duragraph db migrate`",
                    fmt::join(relations, ", ")));
  auto state = of_kind(Kind::none, "the database has no tables yet. Run `duragraph db migrate`");
  for (const auto& file : schema_files()) state.missing.emplace_back(file.name);
  return state;
}

// Whether the file, as a part of that schema, had another text when the program applied it.
bool is_altered(const AppliedFiles& applied, const SchemaFile& file, std::int64_t schema) {
  const auto found = applied.find(file.version);
  return found != applied.end() && found->second.schema == schema && !found->second.checksum.empty() &&
         found->second.checksum != sha256_hex(file.text);
}

std::string_view altered_file(const AppliedFiles& applied) {
  for (const auto& file : schema_files())
    if (is_altered(applied, file, schema_number())) return file.name;
  for (const auto& file : schema_upgrades())
    if (is_altered(applied, file, file.version)) return file.name;
  return {};
}

// The files of the whole schema, and the upgrades from the one that those found belong to.
Names missing_files(const AppliedFiles& applied) {
  Names missing;
  auto from = schema_number();
  for (const auto& file : schema_files()) {
    if (const auto found = applied.find(file.version); found == applied.end())
      missing.emplace_back(file.name);
    else
      from = std::min(from, found->second.schema);
  }
  for (const auto& file : schema_upgrades())
    if (file.version > from && !applied.contains(file.version)) missing.emplace_back(file.name);
  return missing;
}

SchemaState with_ours(const AppliedFiles& applied) {
  const auto own = schema_number();
  SchemaState state;
  for (const auto& [version, file] : applied) state.number = std::max(state.number, file.schema);
  state.missing = missing_files(applied);
  const auto altered = altered_file(applied);
  if (state.number > own + 1 || (state.number > own && !state.missing.empty())) {
    state.kind = Kind::newer;
    state.message = fmt::format(
        "the database has schema {} of a newer release, and this program serves {} and {}. Run the "
        "`duragraph` of that release",
        state.number, own, own + 1);
  } else if (!altered.empty()) {
    state.kind = Kind::altered;
    state.message = fmt::format(
        "the database was made by another text of {}. Run the `duragraph` of the release that made it, or "
        "make an empty database and run `duragraph db migrate`",
        altered);
  } else if (!state.missing.empty()) {
    state.kind = Kind::older;
    state.message =
        fmt::format("the database lacks {}. Run `duragraph db migrate`", fmt::join(state.missing, ", "));
  } else if (state.number > own) {
    state.kind = Kind::next;
    state.message = fmt::format(
        "the database has schema {} of the next release, which this program serves as well", state.number);
  } else {
    state.kind = Kind::current;
    state.message = fmt::format("the database has the schema of this program, {}", state.number);
  }
  return state;
}

Task<Outcome<AppliedFiles>> read_applied(Connection& connection) {
  auto rows = co_await connection.query(select_applied);
  if (!rows) co_return fail_with(std::move(rows.error()));
  AppliedFiles applied;
  while (rows->next()) {
    const auto version = rows->integer();
    auto checksum = rows->text();
    applied.emplace(version, Applied{std::move(checksum), rows->integer()});
  }
  co_return applied;
}

SchemaState too_old(int version) {
  return of_kind(Kind::unsuitable,
                 fmt::format("the server is PostgreSQL {}; DuraGraph needs 14 or newer", version / 10000));
}

SchemaState wrong_encoding(std::string_view encoding) {
  return of_kind(Kind::unsuitable, fmt::format("the database stores text as {}; DuraGraph needs UTF8: "
                                               "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
                                               encoding));
}

}  // namespace

Task<Outcome<SchemaState>> schema_state(Connection& connection) {
  if (connection.server_version() < oldest_version) co_return too_old(connection.server_version());
  auto looked_for = made_by_schema("TABLE");
  looked_for.insert(looked_for.end(), std::begin(original_relations), std::end(original_relations));
  Pipeline pipeline;
  const auto encoding = pipeline.add(select_encoding);
  const auto relations = pipeline.add(select_relations, looked_for);
  const auto columns = pipeline.add(select_columns, Names{"runs", std::string(migrations_table)});
  auto results = co_await connection.run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  const auto text = names_in((*results)[encoding]);
  if (text.front() != "UTF8") co_return wrong_encoding(text.front());
  const auto found = names_in((*results)[relations]);
  const auto found_columns = names_in((*results)[columns]);
  // Other programs keep a table of this name too, with other columns.
  if (!contains(found_columns, "schema_migrations.schema_number"))
    co_return without_ours(found, found_columns);
  auto applied = co_await read_applied(connection);
  if (!applied) co_return fail_with(std::move(applied.error()));
  if (applied->empty()) co_return without_ours(found, found_columns);
  co_return with_ours(*applied);
}

}  // namespace dg::store::postgres
