#include "store/postgres/migrations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/env.hpp"
#include "store/postgres/instance_locks.hpp"
#include "store/postgres/schema.hpp"

namespace dg::store::postgres {
namespace {

using Kind = SchemaState::Kind;

// Of advisory locks: "DuraGrap" as a number.
constexpr std::int64_t lock_key = 0x4475726147726170;
// Building an index on a large table takes its time, and so does waiting for somebody who does.
constexpr Duration patience = std::chrono::hours(6);
constexpr Duration pause = std::chrono::milliseconds(200);
// Whoever comes later waits behind us meanwhile. Less than PostgreSQL's deadlock_timeout: in a circle of
// those who wait it is the migration that gives way.
constexpr std::string_view moment = "500ms";
constexpr std::string_view without_limit = "0";

constexpr std::string_view select_timeouts =
    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')";
constexpr std::string_view set_timeouts =
    "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false)";
constexpr std::string_view try_lock = "SELECT pg_try_advisory_lock($1)";
constexpr std::string_view try_schemas =
    "SELECT bool_and(pg_try_advisory_lock($1::int, n::int)) FROM generate_series(1, $2) AS n";
constexpr std::string_view unlock_all = "SELECT pg_advisory_unlock_all()";
constexpr std::string_view set_checksum =
    "UPDATE schema_migrations SET checksum = $2 WHERE version = $1 AND checksum IS NULL";

// For its time a session's statements may take as long as they take.
class Turn {
 public:
  explicit Turn(Connection& connection) : connection_(connection) {}

  // The lock is asked for again and again: CREATE INDEX CONCURRENTLY of whoever has it would wait for the end
  // of a statement that waits for the lock.
  Task<Outcome<Rows>> take(const OnWait& on_wait) {
    auto timeouts = co_await connection_.query(select_timeouts);
    if (!timeouts) co_return timeouts;
    timeouts->next();
    statement_timeout_ = timeouts->text();
    lock_timeout_ = timeouts->text();
    const auto give_up_at = connection_.timers().now() + patience;
    for (bool told = false;; told = true) {
      auto tried = co_await connection_.query(try_lock, lock_key);
      if (!tried) co_return tried;
      if (tried->next() && tried->flag()) co_return Rows();
      if (connection_.timers().now() > give_up_at)
        co_return fail_with({false, "", "another migration does not end"});
      if (!told && on_wait) on_wait("another migration to end");
      co_await sleep_for(connection_.timers(), pause);
    }
  }

  // A lost connection has given the lock back already.
  Task<Outcome<Rows>> give_back() {
    if (connection_.is_lost()) co_return Rows();
    Pipeline pipeline;
    pipeline.add(unlock_all);
    pipeline.add(set_timeouts, statement_timeout_, lock_timeout_);
    auto results = co_await connection_.run(std::move(pipeline));
    if (!results) co_return fail_with(std::move(results.error()));
    co_return Rows();
  }

 private:
  Connection& connection_;
  std::string statement_timeout_;
  std::string lock_timeout_;
};

Failure naming(const SchemaFile& file, Failure failure) {
  failure.message = fmt::format("{}: {}", file.name, failure.message);
  return failure;
}

Task<Outcome<Rows>> run_part(Connection& connection, std::string part, std::string_view lock_timeout) {
  auto set = co_await connection.query(set_timeouts, without_limit, lock_timeout);
  if (!set) co_return set;
  auto done = co_await connection.run_script(std::move(part), patience);
  if (!done && !connection.is_lost() && connection.in_transaction())
    co_await connection.run_script("ROLLBACK", std::chrono::seconds(10));
  co_return done;
}

// A transaction for whose tables nobody waits longer than a moment.
Task<Outcome<Rows>> run_transaction(Connection& connection, const std::string& part, const OnWait& on_wait) {
  const auto give_up_at = connection.timers().now() + patience;
  for (bool told = false;; told = true) {
    auto done = co_await run_part(connection, part, moment);
    const bool in_use = !done && (done.error().sqlstate == sqlstate::lock_not_available ||
                                  done.error().sqlstate == sqlstate::deadlock_detected);
    if (!in_use || connection.timers().now() > give_up_at) co_return done;
    if (!told && on_wait) on_wait("those who use the tables that are to be changed");
    co_await sleep_for(connection.timers(), pause);
  }
}

// The checksum comes after the file's own transaction. A process that dies in between leaves it out, as
// somebody does who applies the file by hand.
Task<Outcome<Rows>> apply(Connection& connection, const SchemaFile& file, const OnWait& on_wait) {
  auto parts = parts_of(file);
  const auto transaction = std::move(parts.back());
  parts.pop_back();
  for (auto& part : parts) {
    auto done = co_await run_part(connection, std::move(part), without_limit);
    if (!done) co_return fail_with(naming(file, std::move(done.error())));
  }
  auto done = co_await run_transaction(connection, transaction, on_wait);
  if (!done) co_return fail_with(naming(file, std::move(done.error())));
  co_return co_await connection.query(set_checksum, file.version, sha256_hex(file.text));
}

Task<Outcome<Migration>> apply_missing(Connection& connection, const OnWait& on_wait) {
  auto state = co_await schema_state(connection);
  if (!state) co_return fail_with(std::move(state.error()));
  Migration migration{std::move(*state), {}};
  if (migration.found.kind != Kind::none && migration.found.kind != Kind::older) co_return migration;
  // Instances serve their own schema and the next; those with an older one are kept away meanwhile.
  auto away = co_await connection.query(try_schemas, schema_locks, schema_number() - 2);
  if (!away) co_return fail_with(std::move(away.error()));
  if (!away->next() || !away->flag()) {
    migration.found.kind = Kind::in_use;
    migration.found.message = fmt::format(
        "instances serve the database that could not serve schema {}. First replace them by the release "
        "before this one, or stop them",
        schema_number());
    co_return migration;
  }
  const std::array all{schema_files(), schema_upgrades()};
  for (const auto files : all) {
    for (const auto& file : files) {
      if (std::ranges::find(migration.found.missing, file.name) == migration.found.missing.end()) continue;
      auto done = co_await apply(connection, file, on_wait);
      if (!done) co_return fail_with(std::move(done.error()));
      migration.applied.emplace_back(file.name);
    }
  }
  co_return migration;
}

}  // namespace

Task<Outcome<Migration>> migrate(Connection& connection, OnWait on_wait) {
  Turn turn(connection);
  auto taken = co_await turn.take(on_wait);
  if (!taken) co_return fail_with(std::move(taken.error()));
  auto migration = co_await apply_missing(connection, on_wait);
  auto given_back = co_await turn.give_back();
  if (migration && !given_back) co_return fail_with(std::move(given_back.error()));
  co_return migration;
}

}  // namespace dg::store::postgres
