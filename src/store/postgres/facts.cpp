#include "store/postgres/facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "store/columns.hpp"
#include "store/postgres/grouping.hpp"
#include "store/postgres/series_values.hpp"

namespace dg::store::postgres {
namespace {

using enum domain::AggregateType;

constexpr std::string_view insert_heads =
    "INSERT INTO event_streams (aggregate_id, aggregate_type) SELECT * FROM unnest($1, $2) ON CONFLICT DO "
    "NOTHING";
// Each batch locks in one order, so that no two wait for one another.
std::string lock_heads(std::string_view wanted) {
  return fmt::format(
      "SELECT s.aggregate_id, s.aggregate_type, s.version, s.seq, s.turn, s.erased FROM {} AS wanted (id, "
      "type) "
      "JOIN event_streams AS s ON s.aggregate_id = wanted.id AND s.aggregate_type = wanted.type "
      "ORDER BY s.aggregate_id, s.aggregate_type FOR UPDATE OF s",
      wanted);
}
const std::string named_heads = rows_of("id, type");
const std::string lock_named_heads = lock_heads(named_heads);
// What is named by an owner or a run alone is found on the way.
const std::string owned_heads =
    "SELECT * FROM " + named_heads +
    " AS named UNION SELECT thread_id, 'thread' FROM leases WHERE owner = ANY ($3)";
const std::string lock_owned_heads = lock_heads("(" + owned_heads + ")");
const std::string lock_found_heads = lock_heads(
    "(" + owned_heads +
    " UNION SELECT thread_id, 'thread' FROM runs WHERE id = ANY ($4) "
    "UNION SELECT thread_id, 'thread' FROM checkpoints WHERE run_id = ANY ($4) AND run_id <> '' "
    "UNION SELECT thread_id, 'thread' FROM checkpoints WHERE metadata_run_id = ANY ($4) AND metadata_run_id "
    "<> '' "
    "UNION SELECT thread_id, 'thread' FROM checkpoint_undo WHERE run_id = ANY ($4) "
    "UNION SELECT id, 'run' FROM runs WHERE thread_id = ANY ($5))");
constexpr std::string_view select_leases =
    "SELECT owner, kind, thread_id, lease_epoch, worker_id, applied_n FROM leases WHERE owner = ANY ($1) "
    "UNION ALL SELECT owner, kind, thread_id, lease_epoch, worker_id, applied_n FROM leases WHERE thread_id "
    "= "
    "ANY ($2)";
constexpr std::string_view lock_sessions =
    "SELECT id, connection, beats, ended <> '' FROM workers WHERE id = ANY ($1) ORDER BY id FOR UPDATE";
constexpr std::string_view select_transaction = "SELECT pg_current_xact_id()::text";
// Where the run's frames end; and, where that many rows or more wait to be merged, those of them that are not
// too large for it.
constexpr std::string_view select_tails =
    "SELECT w.id, last.first_no + last.count, last.pending, s.first_no, s.count, s.first_seq, s.data, s.cuts "
    "FROM unnest($1, $2) AS w (id, least) CROSS JOIN LATERAL "
    "(SELECT first_no, count, pending FROM run_segments WHERE run_id = w.id ORDER BY first_no DESC LIMIT 1) "
    "AS last LEFT JOIN LATERAL (SELECT * FROM (SELECT first_no, count, first_seq, data, cuts FROM "
    "run_segments WHERE run_id = w.id ORDER BY first_no DESC LIMIT CASE WHEN last.pending >= w.least THEN "
    "last.pending ELSE 0 END) AS unmerged WHERE octet_length(data) <= $3) AS s ON true "
    "ORDER BY w.id, s.first_no";
constexpr std::string_view select_checkpoints =
    "SELECT c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.run_id, c.cuts FROM unnest($1, $2, $3) AS w (t, "
    "n, c) "
    "JOIN checkpoints AS c ON c.thread_id = w.t AND c.checkpoint_ns = w.n AND c.checkpoint_id = w.c";
constexpr std::string_view select_patches =
    "SELECT p.thread_id, p.checkpoint_ns, p.checkpoint_id, p.task_id, p.patch FROM unnest($1, $2, $3, $4) AS "
    "w (t, n, c, k) JOIN checkpoint_tasks AS p ON p.thread_id = w.t AND p.checkpoint_ns = w.n AND "
    "p.checkpoint_id = w.c AND p.task_id = w.k";
constexpr std::string_view select_values =
    "SELECT v.thread_id, v.checkpoint_ns, v.channel, v.version FROM unnest($1, $2, $3, $4) AS w (t, n, c, v) "
    "JOIN checkpoint_values AS v ON v.thread_id = w.t AND v.checkpoint_ns = w.n AND v.channel = w.c AND "
    "v.version = w.v";
constexpr std::string_view select_checkpointed =
    "SELECT id FROM unnest($1) AS wanted (id) WHERE (SELECT true FROM checkpoints WHERE thread_id = "
    "wanted.id LIMIT 1)";
// A series, repeated for each of its last $5 parts or more where so many wait to be merged.
constexpr std::string_view select_series =
    "SELECT s.thread_id, s.checkpoint_ns, s.channel, s.kind, s.id, s.size, s.pending, s.loose, s.newest, "
    "p.at, p.size, p.data FROM unnest($1, $2, $3, $4) AS w (t, n, c, k) JOIN checkpoint_series AS s ON "
    "s.thread_id = w.t AND s.checkpoint_ns = w.n AND s.channel = w.c AND s.kind = w.k "
    "LEFT JOIN LATERAL (SELECT * FROM (SELECT at, size, data FROM checkpoint_series_parts WHERE series = "
    "s.id "
    "ORDER BY at DESC LIMIT CASE WHEN s.pending >= $5 THEN s.pending ELSE 0 END) AS last WHERE size < $6) AS "
    "p ON true ORDER BY s.id, p.at";
constexpr std::string_view select_series_ids =
    "SELECT nextval('checkpoint_series_id') FROM generate_series(1, $1)";

// The parts of tuples as one array each.
template <class Places, std::size_t... part>
Params columns_of_places(const Places& places, std::index_sequence<part...>) {
  Params params;
  (params.add_column(places, [](const auto& place) -> const auto& { return std::get<part>(place); }), ...);
  return params;
}
template <class Place>
Params params_of(const std::set<Place>& places) {
  return columns_of_places(places, std::make_index_sequence<std::tuple_size_v<Place>>{});
}
Params params_of(const std::set<std::string>& ids) {
  return Params().add_column(ids, [](const std::string& id) -> const std::string& { return id; });
}
Params params_of(const std::set<delta::SeriesKey>& keys) {
  using Key = delta::SeriesKey;
  return Params()
      .add_column(keys, &Key::thread_id)
      .add_column(keys, &Key::ns)
      .add_column(keys, &Key::channel)
      .add_column(keys, [](const Key& key) { return std::string(to_text(key.kind)); })
      .add(merge_parts_every)
      .add(most_merged_bytes);
}
// What an end merges is more than one row, with those that are added.
Params params_of(const Needs::Streams& streams) {
  using Entry = std::pair<const std::string, Needs::Stream>;
  return Params()
      .add_column(streams, &Entry::first)
      .add_column(streams,
                  [](const Entry& e) {
                    const auto least = e.second.ends ? 2 : merge_segments_every;
                    return std::max<std::int64_t>(least - e.second.appends, 1);
                  })
      .add(most_merged_bytes);
}
void add_heads(Params& params, const std::set<HeadKey>& heads) {
  params.add_column(heads, &HeadKey::first).add_column(heads, [](const HeadKey& key) {
    return std::string(to_string(key.second));
  });
}

delta::Series read_series(Rows& row) {
  delta::Series series;
  series.id = row.integer();
  series.size = static_cast<std::uint64_t>(row.integer());
  series.pending = row.integer();
  series.loose = static_cast<delta::Loose>(row.integer());
  series.newest.recipe = delta::Recipe::decode(row.view()).value_or(delta::Recipe{});
  return series;
}

}  // namespace

// Where each detail's rows are among the results, if it was asked for.
struct Facts::Places {
  std::optional<std::size_t> heads, leases, sessions;
  std::optional<std::size_t> streams, checkpoints, patches, values, checkpointed, series, series_ids;
};

Task<Outcome<void>> Facts::begin(Connection& connection, const Needs& needs) {
  Pipeline pipeline;
  // Each statement sees what was committed before it, whatever the role or the database says otherwise: what
  // is read behind the locks must not be older than they are.
  pipeline.add("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
  Places places;
  add_locks(pipeline, places, needs);
  const auto transaction = pipeline.add(select_transaction);
  add_details(pipeline, places, needs, presuming_ ? streams_of_known(needs) : needs.streams);

  auto results = co_await connection.run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  if (places.heads) take_heads((*results)[*places.heads]);
  if (!knows_heads(needs)) co_return fail_with(presumed_wrongly("an aggregate is new"));
  if (places.leases && !take_leases((*results)[*places.leases]))
    co_return fail_with({false, "40001", "a thread changed hands while it was being locked"});
  if (places.sessions)
    for (auto& row = (*results)[*places.sessions]; row.next();) {
      auto& session = sessions[row.text()];
      session = {row.integer(), row.integer(), row.flag()};
    }
  if (auto& rows = (*results)[transaction]; rows.next()) transaction_id_ = rows.text();
  take_details(*results, places);
  co_return co_await take_series(connection, places.series ? (*results)[*places.series] : Rows(), needs);
}

void Facts::add_locks(Pipeline& pipeline, Places& places, const Needs& needs) {
  std::set<HeadKey> known;
  std::ranges::set_difference(needs.heads, needs.created, std::inserter(known, known.end()));
  if (!presuming_ && !known.empty()) {
    Params heads;
    add_heads(heads, known);
    pipeline.add_prepared(insert_heads, std::move(heads));
  }
  const auto& named = presuming_ ? known : needs.heads;
  Params locks;
  add_heads(locks, named);
  const auto add_ids = [&](const std::set<std::string>& ids) {
    locks.add_column(ids, [](const auto& id) -> const auto& { return id; });
  };
  if (!needs.erased_runs.empty() || !needs.erased_threads.empty()) {
    add_ids(needs.owners);
    add_ids(needs.erased_runs);
    add_ids(needs.erased_threads);
    places.heads = pipeline.add_prepared(lock_found_heads, std::move(locks));
  } else if (!needs.owners.empty()) {
    add_ids(needs.owners);
    places.heads = pipeline.add_prepared(lock_owned_heads, std::move(locks));
  } else if (!named.empty()) {
    places.heads = pipeline.add_prepared(lock_named_heads, std::move(locks));
  }
  if (!needs.owners.empty() || !needs.held_threads.empty()) {
    Params owners = params_of(needs.owners);
    owners.add_column(needs.held_threads, [](const auto& id) -> const auto& { return id; });
    places.leases = pipeline.add_prepared(select_leases, std::move(owners));
  }
  if (!needs.sessions.empty())
    places.sessions = pipeline.add_prepared(lock_sessions, params_of(needs.sessions));
}

// Of those that are not being created.
Needs::Streams Facts::streams_of_known(const Needs& needs) {
  auto known = needs.streams;
  std::erase_if(known, [&](const auto& stream) { return needs.created.contains({stream.first, run}); });
  return known;
}

Failure Facts::presumed_wrongly(std::string message) {
  return {false, "40001", std::move(message)};
}

Task<Outcome<void>> Facts::read_details(Connection& connection, const Needs& needs) {
  streams.clear();
  checkpoints.clear();
  patches.clear();
  values.clear();
  with_checkpoint.clear();
  series_.clear();
  unmerged_parts.clear();
  Pipeline pipeline;
  Places places;
  add_details(pipeline, places, needs, needs.streams);
  if (pipeline.empty()) co_return Outcome<void>{};
  auto results = co_await connection.run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  take_details(*results, places);
  co_return co_await take_series(connection, places.series ? (*results)[*places.series] : Rows(), needs);
}

void Facts::add_details(Pipeline& pipeline, Places& places, const Needs& needs,
                        const Needs::Streams& followed) {
  if (!followed.empty()) places.streams = pipeline.add_prepared(select_tails, params_of(followed));
  if (!needs.checkpoints.empty())
    places.checkpoints = pipeline.add_prepared(select_checkpoints, params_of(needs.checkpoints));
  if (!needs.patches.empty())
    places.patches = pipeline.add_prepared(select_patches, params_of(needs.patches));
  if (!needs.large_values.empty())
    places.values = pipeline.add_prepared(select_values, params_of(needs.large_values));
  if (!needs.checkpointed.empty())
    places.checkpointed = pipeline.add_prepared(select_checkpointed, params_of(needs.checkpointed));
  if (needs.series.empty()) return;
  places.series = pipeline.add_prepared(select_series, params_of(needs.series));
  const auto lacking = std::ssize(needs.series) - cache_.ids_left();
  if (lacking > 0)
    places.series_ids =
        pipeline.add(select_series_ids, (lacking + SeriesCache::block - 1) / SeriesCache::block);
}

void Facts::take_heads(Rows& rows) {
  while (rows.next()) {
    auto id = rows.text();
    auto& head = heads_[{std::move(id), aggregate_from(rows.view())}];
    head = {rows.integer(), rows.integer(), rows.integer(), rows.flag()};
    head.stored = true;
  }
}

bool Facts::knows_heads(const Needs& needs) const {
  return std::ranges::all_of(
      needs.heads, [&](const auto& key) { return heads_.contains(key) || needs.created.contains(key); });
}

bool Facts::take_leases(Rows& rows) {
  while (rows.next()) {
    auto lease = read_lease(rows);
    if (!heads_.contains({lease.thread_id, thread})) return false;
    holders_[lease.thread_id] = lease.owner;
    leases_[lease.owner] = std::move(lease);
  }
  return true;
}

void Facts::take_details(std::vector<Rows>& results, const Places& places) {
  const auto each = [&](const std::optional<std::size_t>& place, auto take) {
    if (!place) return;
    for (auto& rows = results[*place]; rows.next();) take(rows);
  };
  each(places.streams, [&](Rows& row) { take_stream(row); });
  each(places.checkpoints, [&](Rows& row) {
    CheckpointPlace place{row.text(), row.text(), row.text()};
    checkpoints[std::move(place)] = {row.text(), row.text()};
  });
  each(places.patches, [&](Rows& row) {
    TaskPlace place{row.text(), row.text(), row.text(), row.text()};
    patches[std::move(place)] = row.text();
  });
  each(places.values,
       [&](Rows& row) { values.insert(ValuePlace{row.text(), row.text(), row.text(), row.text()}); });
  each(places.checkpointed, [&](Rows& row) { with_checkpoint.insert(row.text()); });
  each(places.series_ids, [&](Rows& row) { cache_.add_ids(row.integer()); });
}

void Facts::take_stream(Rows& row) {
  const auto run_id = row.text();
  auto& tail = streams[run_id];
  tail.end = row.integer();
  tail.pending = row.integer();
  if (row.is_null()) return;
  auto& segment = tail.unmerged.emplace_back();
  segment.run_id = run_id;
  segment.first_no = row.integer();
  segment.count = row.integer();
  segment.first_seq = row.integer();
  segment.data.bytes = row.text();
  segment.cuts.bytes = row.text();
}

// What the cache does not hold as the row says is read; what has no row is new.
Task<Outcome<void>> Facts::take_series(Connection& connection, Rows rows, const Needs& needs) {
  std::vector<std::pair<delta::SeriesKey, delta::Series>> unknown;
  std::vector<delta::Ref> refs;
  while (rows.next()) {
    delta::SeriesKey key{rows.text(), rows.text(), rows.text()};
    key.kind =
        rows.view() == to_text(delta::SeriesKind::json) ? delta::SeriesKind::json : delta::SeriesKind::blob;
    auto stored = read_series(rows);
    take_part(rows, key, stored);
    if (series_.contains(key)) continue;
    auto* const known = cache_.find(key, stored);
    series_[key] = known;
    if (known != nullptr) continue;
    refs.push_back({stored.id, stored.newest.recipe.encode()});
    unknown.emplace_back(std::move(key), std::move(stored));
  }
  if (!refs.empty()) {
    auto bytes = co_await read_series_values(connection, std::move(refs));
    if (!bytes) co_return fail_with(std::move(bytes.error()));
    for (std::size_t i = 0; i < unknown.size(); ++i) {
      auto& [key, stored] = unknown[i];
      stored.newest.bytes = std::move((*bytes)[i]);
      series_[key] = cache_.put(key, std::move(stored));
    }
  }
  for (const auto& key : needs.series) {
    auto& place = series_[key];
    if (place != nullptr) continue;
    delta::Series fresh;
    fresh.id = cache_.take_id();
    place = cache_.put(key, std::move(fresh));
  }
  co_return Outcome<void>{};
}

void Facts::take_part(Rows& row, const delta::SeriesKey& key, const delta::Series& stored) {
  if (stored.pending < merge_parts_every) return;
  auto& parts = unmerged_parts[key];
  if (row.is_null()) return;
  auto& part = parts.emplace_back();
  part.series = stored.id;
  part.at = row.integer();
  part.size = row.integer();
  part.data.bytes = row.text();
}

void Facts::settle_heads() {
  for (auto& [key, head] : heads_) {
    head.made = presuming_ && head.changed && !head.stored;
    head.stored = head.stored || head.changed;
    head.changed = false;
  }
}

bool Facts::is_made(domain::AggregateType type, const std::string& id) const {
  const auto found = heads_.find({id, type});
  return found != heads_.end() && found->second.made;
}

std::int64_t Facts::turn(const std::string& thread_id) {
  return heads_[{thread_id, thread}].turn;
}

CommitFacts::Head Facts::head(domain::AggregateType type, const std::string& id) {
  const auto& head = heads_[{id, type}];
  return {head.version, head.version > 0 && !head.erased};
}

std::optional<CommitFacts::Owner> Facts::owner(const std::string& id) {
  const auto* const found = lease(id);
  if (found == nullptr) return std::nullopt;
  return Owner{found->epoch, found->applied_n};
}

std::string Facts::holder(const std::string& thread_id) {
  const auto found = holders_.find(thread_id);
  return found == holders_.end() ? std::string() : found->second;
}

std::optional<CommitFacts::Connected> Facts::session(const std::string& id) {
  const auto found = sessions.find(id);
  return found == sessions.end() ? std::nullopt : std::optional(found->second);
}

const Lease* Facts::lease(const std::string& owner) const {
  const auto found = leases_.find(owner);
  return found == leases_.end() ? nullptr : &found->second;
}

void Facts::put_lease(Lease lease) {
  drop_lease(lease.owner);
  changed_leases_.insert(lease.owner);
  holders_[lease.thread_id] = lease.owner;
  leases_[lease.owner] = std::move(lease);
}

std::string Facts::drop_lease(const std::string& owner) {
  auto taken = leases_.extract(owner);
  if (taken.empty()) return {};
  changed_leases_.insert(owner);
  holders_.erase(taken.mapped().thread_id);
  return std::move(taken.mapped().thread_id);
}

std::map<std::string, std::optional<Lease>> Facts::take_changed_leases() {
  std::map<std::string, std::optional<Lease>> out;
  for (const auto& owner : std::exchange(changed_leases_, {})) {
    const auto* const found = lease(owner);
    out.emplace(owner, found == nullptr ? std::nullopt : std::optional(*found));
  }
  return out;
}

}  // namespace dg::store::postgres
