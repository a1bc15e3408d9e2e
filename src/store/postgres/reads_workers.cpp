// Reads of sessions, leases and graphs, and of the schema.
#include <fmt/format.h>

#include "store/postgres/reads.hpp"
#include "store/postgres/reads_rows.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view select_sessions =
    "SELECT id, secret_hash, worker, revision, slots, supervised, graphs, connected_at FROM workers "
    "ORDER BY connected_at, id";
constexpr std::string_view select_graphs =
    "SELECT graph_id, description, error, updated_at, declared FROM graphs ORDER BY graph_id";
const std::string select_leases = fmt::format("SELECT {} FROM leases AS l ORDER BY l.owner", lease_columns);
const std::string select_lease = fmt::format("SELECT {} FROM leases AS l WHERE l.owner = $1", lease_columns);
constexpr std::string_view select_version = "SELECT coalesce(max(version), 0) FROM schema_migrations";

}  // namespace

Task<Outcome<std::vector<Session>>> read_sessions(Connection& db) {
  auto rows = co_await db.query(select_sessions);
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<Session> out;
  while (rows->next()) out.push_back(read_session_row(*rows));
  co_return out;
}

Task<Outcome<std::vector<Lease>>> read_leases(Connection& db) {
  auto rows = co_await db.query(select_leases);
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<Lease> out;
  while (rows->next()) out.push_back(read_lease(*rows));
  co_return out;
}

Task<Outcome<std::optional<Lease>>> read_lease_of(Connection& db, std::string owner) {
  auto rows = co_await db.query(select_lease, owner);
  if (!rows) co_return fail_with(std::move(rows.error()));
  if (!rows->next()) co_return std::nullopt;
  co_return read_lease(*rows);
}

Task<Outcome<std::vector<GraphRow>>> read_graphs(Connection& db) {
  auto rows = co_await db.query(select_graphs);
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<GraphRow> out;
  while (rows->next()) out.push_back(read_graph_row(*rows));
  co_return out;
}

Task<Outcome<std::int64_t>> read_ping(Connection& db) {
  auto rows = co_await db.query(select_version);
  if (!rows) co_return fail_with(std::move(rows.error()));
  co_return rows->next() ? rows->integer() : 0;
}

}  // namespace dg::store::postgres
