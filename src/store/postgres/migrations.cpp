#include "store/postgres/migrations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/env.hpp"
#include "store/postgres/schema.hpp"

namespace dg::store::postgres {
namespace {

using Kind = SchemaState::Kind;

// Of advisory locks: "DuraGrap" as a number.
constexpr std::int64_t lock_key = 0x4475726147726170;
// Building an index on a large table takes its time, and so does waiting for somebody who does.
constexpr Duration patience = std::chrono::hours(6);

constexpr std::string_view select_timeout = "SELECT current_setting('statement_timeout')";
constexpr std::string_view set_timeout = "SELECT set_config('statement_timeout', $1, false)";
constexpr std::string_view try_lock = "SELECT pg_try_advisory_lock($1)";
constexpr std::string_view wait_for_lock = "SELECT pg_advisory_lock($1)";
constexpr std::string_view unlock = "SELECT pg_advisory_unlock($1)";
constexpr std::string_view set_checksum =
    "UPDATE schema_migrations SET checksum = $2 WHERE version = $1 AND checksum IS NULL";

// For its time a session's statements may take as long as they take.
class Turn {
 public:
  explicit Turn(Connection& connection) : connection_(connection) {}

  Task<Outcome<Rows>> take(const std::function<void()>& on_wait) {
    auto timeout = co_await connection_.query(select_timeout);
    if (!timeout) co_return timeout;
    if (timeout->next()) timeout_ = timeout->text();
    Pipeline pipeline;
    pipeline.add(set_timeout, "0");
    pipeline.add(try_lock, lock_key);
    auto tried = co_await connection_.run(std::move(pipeline));
    if (!tried) co_return fail_with(std::move(tried.error()));
    auto& locked = tried->back();
    if (locked.next() && locked.flag()) co_return Rows();
    if (on_wait) on_wait();
    Pipeline waiting;
    waiting.add(wait_for_lock, lock_key);
    auto waited = co_await connection_.run(std::move(waiting), patience);
    if (!waited) co_return fail_with(std::move(waited.error()));
    co_return Rows();
  }

  // A lost connection has given the lock back already.
  Task<Outcome<Rows>> give_back() {
    if (connection_.is_lost()) co_return Rows();
    Pipeline pipeline;
    pipeline.add(unlock, lock_key);
    pipeline.add(set_timeout, timeout_);
    auto results = co_await connection_.run(std::move(pipeline));
    if (!results) co_return fail_with(std::move(results.error()));
    co_return Rows();
  }

 private:
  Connection& connection_;
  std::string timeout_;
};

Failure naming(const SchemaFile& file, Failure failure) {
  failure.message = fmt::format("{}: {}", file.name, failure.message);
  return failure;
}

// The checksum comes after the file's own transaction. A process that dies in between leaves it out, as
// somebody does who applies the file by hand.
Task<Outcome<Rows>> apply(Connection& connection, const SchemaFile& file) {
  auto done = co_await connection.run_script(script_of(file), patience);
  if (done) co_return co_await connection.query(set_checksum, file.version, sha256_hex(file.text));
  if (!connection.is_lost() && connection.in_transaction())
    co_await connection.run_script("ROLLBACK", std::chrono::seconds(10));
  co_return fail_with(naming(file, std::move(done.error())));
}

Task<Outcome<Migration>> apply_missing(Connection& connection) {
  auto state = co_await schema_state(connection);
  if (!state) co_return fail_with(std::move(state.error()));
  Migration migration{std::move(*state), {}};
  if (migration.found.kind != Kind::none && migration.found.kind != Kind::older) co_return migration;
  for (const auto& file : schema_files()) {
    if (std::ranges::find(migration.found.missing, file.name) == migration.found.missing.end()) continue;
    auto done = co_await apply(connection, file);
    if (!done) co_return fail_with(std::move(done.error()));
    migration.applied.emplace_back(file.name);
  }
  co_return migration;
}

}  // namespace

Task<Outcome<Migration>> migrate(Connection& connection, std::function<void()> on_wait) {
  Turn turn(connection);
  auto taken = co_await turn.take(on_wait);
  if (!taken) co_return fail_with(std::move(taken.error()));
  auto migration = co_await apply_missing(connection);
  auto given_back = co_await turn.give_back();
  if (migration && !given_back) co_return fail_with(std::move(given_back.error()));
  co_return migration;
}

}  // namespace dg::store::postgres
