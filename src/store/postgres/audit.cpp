#include "store/postgres/audit.hpp"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <tuple>

#include "base/system_world.hpp"
#include "store/audit/scans.hpp"
#include "store/audit/stored_rows.hpp"
#include "store/columns.hpp"
#include "store/postgres/audit_scans.hpp"
#include "store/postgres/instance_locks.hpp"
#include "store/postgres/reads_rows.hpp"
#include "store/postgres/schema_state.hpp"

namespace dg::store {
namespace postgres {
namespace {

using namespace audit;

// Runs' events have a table of their own.
constexpr std::string_view select_heads =
    "SELECT aggregate_id, aggregate_type, version, seq, turn, erased FROM event_streams "
    "ORDER BY aggregate_id, aggregate_type";
constexpr std::string_view select_events =
    "SELECT aggregate_id, aggregate_type, event_version, event_type, thread_id, seq, occurred_at, false, "
    "payload FROM events ORDER BY aggregate_id, aggregate_type, event_version";
constexpr std::string_view select_run_events =
    "SELECT run_id, 'run', event_version, event_type, thread_id, seq, occurred_at, false, payload "
    "FROM run_events ORDER BY run_id, event_version";
constexpr std::string_view select_logs =
    "SELECT e.aggregate_id, e.aggregate_type, e.event_version, e.event_type, e.thread_id, e.seq, "
    "e.occurred_at, coalesce(h.erased, false), e.payload FROM events AS e LEFT JOIN event_streams AS h ON "
    "h.aggregate_id = e.aggregate_id AND h.aggregate_type = e.aggregate_type WHERE e.thread_id <> '' "
    "ORDER BY e.thread_id, e.seq, e.id";
constexpr std::string_view select_run_logs =
    "SELECT e.run_id, 'run', e.event_version, e.event_type, e.thread_id, e.seq, e.occurred_at, "
    "coalesce(h.erased, false), CASE e.event_type WHEN 'RunCreated' THEN '' ELSE e.payload END "
    "FROM run_events AS e LEFT JOIN event_streams AS h ON h.aggregate_id = e.run_id AND h.aggregate_type = "
    "'run' WHERE e.thread_id <> '' ORDER BY e.thread_id, e.seq, e.id";
constexpr std::string_view select_framed = "SELECT DISTINCT run_id FROM run_segments ORDER BY run_id";
constexpr std::string_view select_segments =
    "SELECT first_no, count, first_seq, data FROM run_segments WHERE run_id = $1 AND first_no > $2 "
    "ORDER BY first_no";
const std::string select_leases =
    fmt::format("SELECT {} FROM leases AS l ORDER BY l.thread_id", lease_columns);

constexpr auto begin_snapshot = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
constexpr auto begin_writing = "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE";
// All that is read, so that nothing changes under a rebuild, whoever writes. Readers go on.
constexpr auto lock_tables =
    "LOCK TABLE event_streams, events, run_events, run_segments, assistants, assistant_versions, threads, "
    "runs, leases, checkpoints IN SHARE ROW EXCLUSIVE MODE";

class NoPacks final : public Scan<StoredPack> {
 public:
  const StoredPack* next() override { return nullptr; }
};

class PostgresAudit final : public Audit {
 public:
  explicit PostgresAudit(std::unique_ptr<BlockingSession> session) : session_(std::move(session)) {
    session_->run(begin_snapshot);
  }

  std::vector<std::string> damage(std::size_t limit) override { return damaged_indexes(db(), limit); }

  audit::Rows<StoredHead> heads() override { return scan(db(), select_heads, read_head<postgres::Rows>); }
  audit::Rows<StoredEvent> events() override {
    return merged(scan(db(), select_events, read_event<postgres::Rows>),
                  scan(db(), select_run_events, read_event<postgres::Rows>),
                  [](const StoredEvent& e) { return std::tie(e.aggregate_id, e.aggregate, e.version); });
  }
  audit::Rows<StoredEvent> logs() override {
    return merged(scan(db(), select_logs, read_event<postgres::Rows>),
                  scan(db(), select_run_logs, read_event<postgres::Rows>),
                  [](const StoredEvent& e) { return std::tie(e.thread_id, e.seq); });
  }
  audit::Rows<ReadRow> rows(ReadTable table) override { return scan_read_rows(db(), table); }
  audit::Rows<std::string> framed_runs() override {
    return scan(db(), select_framed, read_id<postgres::Rows>);
  }
  audit::Rows<StoredSegment> segments(const std::string& run_id) override {
    return scan_pages(db(), select_segments, run_id, read_segment<postgres::Rows>, &StoredSegment::first_no);
  }
  audit::Rows<Lease> leases() override { return scan(db(), select_leases, read_lease<postgres::Rows>); }
  audit::Rows<NewestState> newest_states() override { return scan_newest_states(db()); }
  audit::Rows<KeptState> kept_states() override { return scan_kept_states(db()); }
  audit::Rows<StoredCheckpoint> checkpoints() override { return scan_checkpoints(db()); }
  audit::Rows<audit::StoredValue> values() override { return scan_values(db()); }
  audit::Rows<StoredPack> packs() override { return std::make_unique<NoPacks>(); }
  audit::Rows<StoredSeries> series(const std::string& thread_id) override {
    return scan_series(db(), thread_id);
  }
  audit::Rows<StoredPart> parts(std::int64_t series) override { return scan_parts(db(), series); }
  audit::Rows<SeriesUse> uses(const std::string& thread_id) override { return scan_uses(db(), thread_id); }
  audit::Rows<std::int64_t> series_without_row() override { return scan_series_without_row(db()); }

  Status finish() override {
    session_->run("ROLLBACK");
    return session_->status();
  }

 private:
  BlockingSession& db() { return *session_; }

  std::unique_ptr<BlockingSession> session_;
};

// The end of the session takes back what was not committed, and gives up the locks.
class PostgresReadTables final : public ReadTables {
 public:
  explicit PostgresReadTables(std::unique_ptr<BlockingSession> session) : session_(std::move(session)) {}

  void erase(ReadTable table, const ReadRow& row) override { erase_read_row(*session_, table, row); }
  void put(ReadTable table, const ReadRow& row) override { put_read_row(*session_, table, row); }
  Status commit() override {
    session_->run("COMMIT");
    return session_->status();
  }

 private:
  std::unique_ptr<BlockingSession> session_;
};

Task<void> look_at_schema(SystemWorld& world, const Conninfo& conninfo, Outcome<SchemaState>& out) {
  auto connection = co_await Connection::open(*world.timers, {.conninfo = conninfo});
  if (connection) {
    out = co_await schema_state(**connection);
  } else {
    out = fail_with(std::move(connection.error()));
  }
}

enum class Access { reads, writes };

// Opens a session on a database with our schema. Rows of the next one are not written anew by a program that
// does not know all their columns.
Result<std::unique_ptr<BlockingSession>> open_session(const Conninfo& conninfo, Access access) {
  SystemWorld world;
  Outcome<SchemaState> state;
  boost::asio::co_spawn(world.io.get_executor(), look_at_schema(world, conninfo, state),
                        boost::asio::detached);
  world.io.run();
  if (!state) return fail(state.error().to_command_error());
  if (!state->is_served()) return fail(Errc::conflict, state->message);
  if (access == Access::writes && state->kind != SchemaState::Kind::current)
    return fail(Errc::conflict, fmt::format("the database has schema {} of the next release. Rebuild it with "
                                            "the `duragraph` of that release",
                                            state->number));
  auto session = BlockingSession::open(conninfo);
  if (!session) return fail(session.error().to_command_error());
  return std::move(*session);
}

// Keeps instances from serving and everybody from writing, until the session ends.
Status keep_others_out(BlockingSession& session, std::chrono::milliseconds patience) {
  auto taken = session.run(try_advisory_lock, Params(std::string(serving_lock)));
  if (taken.next() && !taken.flag())
    return fail(Errc::busy,
                "an instance of `duragraph serve` serves this database. Stop all of them, and then rebuild");
  session.run(begin_writing);
  session.run(fmt::format("SET LOCAL lock_timeout = {}", patience.count()));
  session.run(lock_tables);
  const auto& failure = session.failure();
  if (failure &&
      (failure->sqlstate == sqlstate::lock_not_available || failure->sqlstate == sqlstate::deadlock_detected))
    return fail(Errc::busy,
                fmt::format("somebody else writes to this database ({}). Try again when they are done",
                            failure->message));
  return session.status();
}

}  // namespace
}  // namespace postgres

Result<std::unique_ptr<audit::Audit>> open_postgres_audit(const postgres::Conninfo& conninfo) {
  auto session = postgres::open_session(conninfo, postgres::Access::reads);
  if (!session) return fail(session.error());
  return std::make_unique<postgres::PostgresAudit>(std::move(*session));
}

Result<audit::Rebuilding> open_postgres_rebuilding(const postgres::Conninfo& conninfo,
                                                   std::chrono::milliseconds patience) {
  auto writing = postgres::open_session(conninfo, postgres::Access::writes);
  if (!writing) return fail(writing.error());
  if (auto alone = postgres::keep_others_out(**writing, patience); !alone) return fail(alone.error());
  auto reading = postgres::BlockingSession::open(conninfo);
  if (!reading) return fail(reading.error().to_command_error());
  audit::Rebuilding out;
  out.tables = std::make_unique<postgres::PostgresReadTables>(std::move(*writing));
  out.before = std::make_unique<postgres::PostgresAudit>(std::move(*reading));
  return out;
}

}  // namespace dg::store
