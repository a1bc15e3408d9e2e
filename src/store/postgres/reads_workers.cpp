// Reads of sessions, leases and graphs, and of the schema.
#include <fmt/format.h>

#include "store/postgres/instance_locks.hpp"
#include "store/postgres/reads.hpp"
#include "store/postgres/reads_rows.hpp"

namespace dg::store::postgres {
namespace {

// An instance is alive while its session holds the lock of its id (InstanceLocks).
std::string select_workers(std::string_view which) {
  return fmt::format(
      "SELECT id, secret_hash, worker, revision, slots, supervised, graphs, connected_at, draining, "
      "instance_id, connection, ended, beats, EXISTS (SELECT 1 FROM pg_locks AS k WHERE k.locktype = "
      "'advisory' AND k.granted AND k.objsubid = 1 AND k.database = (SELECT oid FROM pg_database WHERE "
      "datname = current_database()) AND (k.classid::bigint << 32) | k.objid::bigint = {}) FROM workers {}",
      instance_lock("workers.instance_id"), which);
}
const std::string select_sessions = select_workers("ORDER BY connected_at, id");
const std::string select_session = select_workers("WHERE id = $1");
// Rows are locked in one order, here and in batches.
constexpr std::string_view count_beats =
    "UPDATE workers SET beats = beats + 1 WHERE id IN (SELECT id FROM workers WHERE id = ANY ($1) ORDER BY "
    "id "
    "FOR UPDATE)";
constexpr std::string_view select_graphs =
    "SELECT graph_id, description, error, updated_at, declared FROM graphs ORDER BY graph_id";
const std::string select_leases = fmt::format("SELECT {} FROM leases AS l ORDER BY l.owner", lease_columns);
const std::string select_lease = fmt::format("SELECT {} FROM leases AS l WHERE l.owner = $1", lease_columns);
constexpr std::string_view select_version = "SELECT coalesce(max(schema_number), 0) FROM schema_migrations";

Session read_worker(Rows& row) {
  auto session = read_session_row(row);
  session.beats = row.integer();
  session.instance_alive = row.flag();
  return session;
}

}  // namespace

Task<Outcome<std::vector<Session>>> read_sessions(Connection& db) {
  auto rows = co_await db.query(select_sessions);
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<Session> out;
  while (rows->next()) out.push_back(read_worker(*rows));
  co_return out;
}

Task<Outcome<std::optional<Session>>> read_session(Connection& db, std::string id) {
  auto rows = co_await db.query(select_session, id);
  if (!rows) co_return fail_with(std::move(rows.error()));
  if (!rows->next()) co_return std::nullopt;
  co_return read_worker(*rows);
}

Task<Outcome<bool>> count_beats_of(Connection& db, const std::vector<std::string>& sessions) {
  Pipeline pipeline;
  pipeline.add("BEGIN");
  pipeline.add("SET LOCAL synchronous_commit = off");
  pipeline.add_prepared(count_beats, Params().add(sessions));
  pipeline.add("COMMIT");
  const auto done = co_await db.run(std::move(pipeline));
  if (!done) co_return fail_with(done.error());
  co_return true;
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
