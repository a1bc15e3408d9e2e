#include "store/postgres/outbox.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "store/columns.hpp"

namespace dg::store {
namespace postgres {
namespace {

// How many shards one transaction takes: all of them, where there is little to tell, and some where much
// waits, so that other instances take the others.
constexpr std::int64_t all_shards = 64, some_shards = 16;
// Rows that one step of a refill looks at: most may be too old to be told again.
constexpr std::int64_t refill_step = 5000;

constexpr std::string_view begin_transaction = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
// What is lost with the machine is done again, so nobody waits for the disk.
constexpr std::string_view no_flush = "SET LOCAL synchronous_commit = off";
constexpr std::string_view select_state =
    "SELECT scope, stream, last_sequence, refill_since IS NOT NULL FROM outbox_state";
// Who has a shard publishes it, until its transaction ends. A start that goes round keeps one that is always
// full from holding up those behind it.
constexpr std::string_view lock_shards =
    "SELECT shard FROM outbox_shards AS s WHERE EXISTS (SELECT 1 FROM outbox WHERE shard = s.shard) "
    "AND NOT EXISTS (SELECT 1 FROM outbox_state WHERE refill_since IS NOT NULL) "
    "ORDER BY (shard + $1) % 64 LIMIT $2 FOR UPDATE SKIP LOCKED";
// The events of an outbox row o, wherever they are.
constexpr std::string_view events_of_row =
    "SELECT event_id, event_version, event_type, payload, metadata, thread_id, seq, occurred_at FROM events "
    "WHERE o.aggregate_type <> 'run' AND aggregate_id = o.aggregate_id AND aggregate_type = o.aggregate_type "
    "AND event_version BETWEEN o.first_version AND o.last_version UNION ALL "
    "SELECT event_id, event_version, event_type, payload, metadata, thread_id, seq, occurred_at FROM "
    "run_events "
    "WHERE o.aggregate_type = 'run' AND run_id = o.aggregate_id "
    "AND event_version BETWEEN o.first_version AND o.last_version";
// The first rows of each shard, with their events, as many as there is room for. Asked after the shards were
// locked: it sees what was deleted and begun by then.
const std::string select_rows = fmt::format(
    "SELECT shard, id, aggregate_type, aggregate_id, event_id, event_version, event_type, "
    "CASE WHEN octet_length(payload) <= $4 THEN payload END, metadata, thread_id, seq, occurred_at "
    "FROM (SELECT o.shard, o.id, o.aggregate_type, o.aggregate_id, e.*, "
    "sum(octet_length(e.payload)) OVER (ORDER BY o.shard, o.id GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 "
    "PRECEDING) AS before FROM unnest($1) AS s (shard) CROSS JOIN LATERAL "
    "(SELECT * FROM outbox WHERE shard = s.shard ORDER BY id LIMIT $2) AS o LEFT JOIN LATERAL ({}) AS e ON "
    "true) "
    "AS told WHERE coalesce(before, 0) < $3 AND NOT EXISTS (SELECT 1 FROM outbox_state WHERE refill_since IS "
    "NOT NULL) "
    "ORDER BY shard, id, event_version",
    events_of_row);
constexpr std::string_view delete_rows =
    "DELETE FROM outbox AS o USING unnest($1, $2) AS d (shard, id) WHERE o.shard = d.shard AND o.id = d.id";
constexpr std::string_view note_sequence =
    "UPDATE outbox_state SET last_sequence = $1 WHERE last_sequence < $1 AND refill_since IS NULL";
constexpr std::string_view set_stream_state = "UPDATE outbox_state SET stream = $1, last_sequence = $2";

constexpr std::string_view lock_all_shards = "SELECT shard FROM outbox_shards ORDER BY shard FOR UPDATE";
constexpr std::string_view start_refill =
    "UPDATE outbox_state SET refill_since = least(refill_since, $1), refill_table = 'events', refill_id = "
    "'', "
    "refill_type = '', refill_version = 0, last_sequence = 0";
constexpr std::string_view lock_refill =
    "SELECT refill_since, refill_table, refill_id, refill_type, refill_version FROM outbox_state "
    "WHERE refill_since IS NOT NULL FOR UPDATE SKIP LOCKED";
// The next rows of a table in the order of its key, behind $1, $2, $3; fewer where there is no room for more
// payloads.
std::string select_next(std::string_view table, std::string_view columns, std::string_view key,
                        std::string_view place) {
  return fmt::format(
      "SELECT {1}, event_id, event_version, event_type, "
      "CASE WHEN occurred_at >= $4 AND octet_length(payload) <= $7 THEN payload END, metadata, thread_id, "
      "seq, "
      "occurred_at, occurred_at >= $4 FROM (SELECT *, sum(CASE WHEN occurred_at >= $4 THEN "
      "octet_length(payload) + 100 ELSE 0 END) OVER (ORDER BY {2} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 "
      "PRECEDING) AS before FROM (SELECT * FROM {0} WHERE ({2}) > ({3}) ORDER BY {2} LIMIT $5) AS next) AS "
      "counted WHERE coalesce(before, 0) < $6 ORDER BY {2}",
      table, columns, key, place);
}
const std::string select_next_events = select_next(
    "events", "aggregate_type, aggregate_id", "aggregate_id, aggregate_type, event_version", "$1, $2, $3");
const std::string select_next_run_events =
    select_next("run_events", "'run'::text, run_id", "run_id, event_version", "$1, $3");
constexpr std::string_view advance_refill =
    "UPDATE outbox_state SET refill_table = $1, refill_id = $2, refill_type = $3, refill_version = $4";
constexpr std::string_view end_refill =
    "UPDATE outbox_state SET refill_since = NULL, refill_table = '', refill_id = '', refill_type = '', "
    "refill_version = 0, last_sequence = greatest(last_sequence, $1)";

constexpr std::string_view count_rows = "SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT $1 + 1) AS counted";
constexpr std::string_view delete_all = "DELETE FROM outbox";

struct Claimed {
  std::vector<PublishedEvent> events;
  std::vector<std::int64_t> shards, ids;  // of the rows
};

// What both kinds of selection have in common, from event_id on.
void read_event(Rows& row, PublishedEvent& out) {
  auto& event = out.event;
  event.id = row.text();
  event.version = row.integer();
  event.type = row.text();
  auto payload = row.optional_text();
  out.without_payload = !payload;
  event.payload = payload ? std::move(*payload) : "null";
  event.metadata = row.text();
  event.thread_id = row.text();
  event.seq = row.integer();
  event.at = row.time();
}

class PostgresOutbox final : public Outbox {
 public:
  PostgresOutbox(Env env, ConnectOptions options, OutboxLimits limits)
      : env_(env), options_(std::move(options)), limits_(limits) {}

  Task<Result<OutboxState>> state() override {
    return run<OutboxState>([this] { return read_state(); });
  }
  Task<Result<Relayed>> relay(const Publish& publish) override {
    return run<Relayed>([this, &publish] { return relay_some(publish); });
  }
  Task<Status> begin_refill(WallTime since) override {
    Pipeline pipeline;
    pipeline.add(begin_transaction);
    pipeline.add(lock_all_shards);
    pipeline.add(start_refill, since);
    pipeline.add("COMMIT");
    co_return co_await execute(std::move(pipeline));
  }
  Task<Status> set_stream(const StreamState& stream) override {
    Pipeline pipeline;
    pipeline.add(set_stream_state, stream.id, stream.last_sequence);
    co_return co_await execute(std::move(pipeline));
  }
  Task<Result<Relayed>> refill(const Publish& publish) override {
    return run<Relayed>([this, &publish] { return refill_some(publish); });
  }
  Task<Result<Waiting>> trim(WallTime since) override {
    return run<Waiting>([this, since] { return trim_rows(since); });
  }

 private:
  // Runs `work` on the connection. What fails inside a transaction rolls it back.
  template <class T, class Work>
  Task<Result<T>> run(Work work) {
    if (auto connected = co_await connect(); !connected) co_return fail(connected.error().to_error());
    refused_.reset();
    Outcome<T> done = co_await work();
    if (connection_->is_lost())
      connection_.reset();
    else if (connection_->in_transaction() && !co_await connection_->ask("ROLLBACK"))
      connection_.reset();
    if (refused_) co_return fail(std::move(*refused_));
    if (!done) co_return fail(done.error().to_error());
    co_return std::move(*done);
  }
  Task<Status> execute(Pipeline pipeline) {
    auto done = co_await run<bool>([this, &pipeline]() -> Task<Outcome<bool>> {
      auto executed = co_await connection_->execute(std::move(pipeline));
      if (!executed) co_return fail_with(std::move(executed.error()));
      co_return true;
    });
    if (!done) co_return fail(std::move(done.error()));
    co_return Status{};
  }
  Task<Outcome<void>> connect() {
    if (connection_ && !connection_->is_lost()) co_return Outcome<void>{};
    auto opened = co_await Connection::open(env_.timers, options_);
    if (!opened) co_return fail_with(std::move(opened.error()));
    connection_ = std::move(*opened);
    co_return Outcome<void>{};
  }
  // Whoever publishes says why it did not; the database is not to blame.
  std::unexpected<Failure> refuse(Error error) {
    refused_ = std::move(error);
    return fail_with({});
  }

  Task<Outcome<OutboxState>> read_state() {
    auto rows = co_await connection_->ask(select_state);
    if (!rows) co_return fail_with(std::move(rows.error()));
    OutboxState state;
    if (!rows->next()) co_return fail_with({false, "", "the table outbox_state has no row"});
    state.scope = rows->text();
    state.stream.id = rows->text();
    state.stream.last_sequence = rows->integer();
    state.refilling = rows->flag();
    co_return state;
  }

  Task<Outcome<Relayed>> relay_some(const Publish& publish) {
    auto shards = co_await take_shards();
    if (!shards) co_return fail_with(std::move(shards.error()));
    if (shards->empty()) co_return Relayed{};
    auto claimed = co_await read_rows(*shards);
    if (!claimed) co_return fail_with(std::move(claimed.error()));
    Relayed relayed{.events = claimed->events.size(), .more = !claimed->ids.empty()};
    if (claimed->ids.empty()) co_return relayed;
    auto sequence = co_await publish(claimed->events);
    if (!sequence) co_return refuse(std::move(sequence.error()));
    Pipeline pipeline;
    pipeline.add(no_flush);
    pipeline.add(delete_rows, claimed->shards, claimed->ids);
    pipeline.add(note_sequence, *sequence);
    pipeline.add("COMMIT");
    auto done = co_await connection_->execute(std::move(pipeline));
    if (!done) co_return fail_with(std::move(done.error()));
    co_return relayed;
  }

  Task<Outcome<std::vector<std::int64_t>>> take_shards() {
    Pipeline pipeline;
    pipeline.add(begin_transaction);
    pipeline.add(lock_shards, static_cast<std::int64_t>(env_.random.next() % 64), shards_at_once_);
    auto results = co_await connection_->run(std::move(pipeline));
    if (!results) co_return fail_with(std::move(results.error()));
    std::vector<std::int64_t> shards;
    for (auto& rows = results->back(); rows.next();) shards.push_back(rows.integer());
    co_return shards;
  }

  Task<Outcome<Claimed>> read_rows(const std::vector<std::int64_t>& shards) {
    const auto rows_each = std::max<std::int64_t>(limits_.rows / shards_at_once_, 1);
    auto rows = co_await connection_->query(select_rows, shards, rows_each, limits_.bytes, limits_.payload);
    if (!rows) co_return fail_with(std::move(rows.error()));
    Claimed claimed;
    std::int64_t bytes = 0;
    while (rows->next()) {
      const auto shard = rows->integer(), id = rows->integer();
      if (claimed.ids.empty() || claimed.ids.back() != id || claimed.shards.back() != shard) {
        claimed.shards.push_back(shard);
        claimed.ids.push_back(id);
      }
      PublishedEvent event;
      event.event.aggregate = aggregate_from(rows->view());
      event.event.aggregate_id = rows->text();
      if (rows->is_null()) continue;  // the events of an old run were dropped with their partition
      read_event(*rows, event);
      bytes += std::ssize(event.event.payload);
      claimed.events.push_back(std::move(event));
    }
    const bool few = std::ssize(claimed.ids) < limits_.rows / 2 && bytes < limits_.bytes / 2;
    shards_at_once_ = few ? all_shards : some_shards;
    co_return claimed;
  }

  struct Place {
    std::string table, id, type;
    std::int64_t version = 0;
  };

  Task<Outcome<Relayed>> refill_some(const Publish& publish) {
    Pipeline pipeline;
    pipeline.add(begin_transaction);
    pipeline.add(lock_refill);
    auto results = co_await connection_->run(std::move(pipeline));
    if (!results) co_return fail_with(std::move(results.error()));
    auto& row = results->back();
    if (!row.next()) co_return Relayed{};
    const auto since = row.time();
    Place place{row.text(), row.text(), row.text(), row.integer()};
    auto rows = co_await connection_->query(
        place.table == "events" ? select_next_events : select_next_run_events, place.id, place.type,
        place.version, since, refill_step, limits_.bytes, limits_.payload);
    if (!rows) co_return fail_with(std::move(rows.error()));
    co_return co_await refill_from(std::move(*rows), std::move(place), publish);
  }

  Task<Outcome<Relayed>> refill_from(Rows rows, Place place, const Publish& publish) {
    std::vector<PublishedEvent> events;
    const bool at_end = rows.size() == 0;
    while (rows.next()) {
      PublishedEvent event;
      place.type = rows.text();
      event.event.aggregate = aggregate_from(place.type);
      event.event.aggregate_id = place.id = rows.text();
      read_event(rows, event);
      place.version = event.event.version;
      if (rows.flag()) events.push_back(std::move(event));
    }
    Relayed relayed{.events = events.size(), .more = true};
    std::int64_t sequence = 0;
    if (!events.empty()) {
      auto published = co_await publish(events);
      if (!published) co_return refuse(std::move(published.error()));
      sequence = *published;
    }
    Pipeline pipeline;
    if (!at_end)
      pipeline.add(advance_refill, place.table, place.id, place.type, place.version);
    else if (place.table == "events")
      pipeline.add(advance_refill, "run_events", "", "", std::int64_t{0});
    else
      pipeline.add(end_refill, sequence);
    pipeline.add("COMMIT");
    auto done = co_await connection_->execute(std::move(pipeline));
    if (!done) co_return fail_with(std::move(done.error()));
    co_return relayed;
  }

  Task<Outcome<Waiting>> trim_rows(WallTime since) {
    auto rows = co_await connection_->query(count_rows, limits_.kept);
    if (!rows) co_return fail_with(std::move(rows.error()));
    const auto count = rows->next() ? rows->integer() : 0;
    if (count <= limits_.kept) co_return Waiting{count, false};
    Pipeline pipeline;
    pipeline.add(begin_transaction);
    pipeline.add(lock_all_shards);
    pipeline.add(delete_all);
    pipeline.add(start_refill, since);
    pipeline.add("COMMIT");
    auto done = co_await connection_->execute(std::move(pipeline));
    if (!done) co_return fail_with(std::move(done.error()));
    co_return Waiting{count, true};
  }

  Env env_;
  ConnectOptions options_;
  OutboxLimits limits_;
  std::int64_t shards_at_once_ = all_shards;
  std::unique_ptr<Connection> connection_;
  std::optional<Error> refused_;
};

}  // namespace
}  // namespace postgres

std::unique_ptr<Outbox> make_postgres_outbox(Env env, postgres::ConnectOptions connect, OutboxLimits limits) {
  return std::make_unique<postgres::PostgresOutbox>(env, std::move(connect), limits);
}

}  // namespace dg::store
