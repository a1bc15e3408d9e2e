#include "store/sqlite/apply.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/unpack.hpp"

namespace dg::store::sqlite {
namespace {

// Read and then written: RETURNING opens a table of its own each time, which takes longer than a look.
constexpr std::string_view select_version =
    "SELECT version, pack FROM heads WHERE aggregate_id = ? AND type = ?";
constexpr std::string_view set_version =
    "INSERT INTO heads (aggregate_id, type, version) VALUES (?, ?, ?) "
    "ON CONFLICT DO UPDATE SET version = excluded.version, erased = 0";
constexpr std::string_view select_seq = "SELECT seq FROM heads WHERE aggregate_id = ? AND type = 'thread'";
constexpr std::string_view set_seq =
    "INSERT INTO heads (aggregate_id, type, version, seq, turn) VALUES (?, 'thread', 0, ?, ?) "
    "ON CONFLICT DO UPDATE SET seq = excluded.seq, turn = turn + excluded.turn";
constexpr std::string_view insert_event =
    "INSERT INTO events (id, aggregate, aggregate_id, version, type, payload, metadata, thread_id, seq, at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view set_erased =
    "UPDATE heads SET erased = 1, turn = turn + (type = 'thread') WHERE aggregate_id = ? AND type = ?";
constexpr std::string_view move_applied = "UPDATE leases SET applied_n = ? WHERE owner = ?";

}  // namespace

Committed apply(Database& db, SeriesWriter& series, const Env& env, const Commit& commit) {
  WriteContext context{db, series, env, commit.at.value_or(env.clock.now()), commit.event_metadata};
  for (const auto& condition : commit.conditions) apply_condition(context, condition);
  for (const auto& append : commit.appends) apply_append(context, append);
  for (const auto& change : commit.changes) std::visit([&](const auto& c) { apply(context, c); }, change);
  for (const auto& [thread, touched] : context.threads) refresh_thread(context, thread, touched);
  return std::move(context.result);
}

void apply_condition(WriteContext& context, const Condition& condition) {
  const auto* const fence = std::get_if<Fence>(&condition);
  if (fence != nullptr && fence->last_n > 0) execute(context.db, move_applied, fence->last_n, fence->owner);
}

std::int64_t take_places(Database& db, std::string_view thread_id, std::int64_t count, std::int64_t turns) {
  std::int64_t seq = 0;
  if (Query query(db, select_seq, thread_id); query.next()) seq = query.integer();
  execute(db, set_seq, thread_id, seq + count, turns);
  return seq + 1;
}

void apply_append(WriteContext& context, const Append& append) {
  if (append.events.empty()) return;
  const auto count = static_cast<std::int64_t>(append.events.size());
  const auto type = to_string(append.aggregate);
  std::int64_t version = 0;
  std::int64_t pack = 0;
  if (Query query(context.db, select_version, append.id, type); query.next()) {
    version = query.integer();
    pack = query.integer();
  }
  execute(context.db, set_version, append.id, type, version + count);
  if (pack != 0) unpack(context.db, pack);
  std::int64_t seq = 0;
  const bool in_log = !append.thread_id.empty();
  if (in_log) {
    const bool of_run = append.aggregate == domain::AggregateType::run;
    seq = take_places(context.db, append.thread_id, count, of_run ? count : 0);
    context.touch(append.thread_id);
  }
  for (const auto& event : append.events) {
    execute(context.db, insert_event, make_uuid7(context.env), type, append.id, ++version, event.type,
            event.payload, context.event_metadata, append.thread_id, in_log ? seq++ : 0, context.now);
  }
}

void mark_erased(Database& db, domain::AggregateType type, std::string_view id) {
  execute(db, set_erased, id, to_string(type));
}

}  // namespace dg::store::sqlite
