#include <fmt/format.h>

#include "store/documents.hpp"
#include "store/postgres/checkpoint_rows.hpp"
#include "store/postgres/reads.hpp"
#include "store/postgres/reads_rows.hpp"

namespace dg::store::postgres {
namespace {

std::string states_by(std::string_view keys) {
  return fmt::format("SELECT {} FROM {} {} ORDER BY k.place", state_columns, keys, checkpoint_of_key);
}
std::string tuples_by(std::string_view keys) {
  return fmt::format(
      "SELECT k.place, c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id, c.type, "
      "c.checkpoint, "
      "c.metadata, c.channel_versions FROM {} {} ORDER BY k.place",
      keys, checkpoint_of_key);
}
std::string writes_by(std::string_view keys) {
  return fmt::format(
      "SELECT k.place, w.task_id, w.task_path, w.idx, w.channel, w.type, w.blob FROM {} CROSS JOIN LATERAL "
      "(SELECT * "
      "FROM checkpoint_writes WHERE thread_id = k.thread_id AND checkpoint_ns = k.ns AND checkpoint_id = "
      "k.id "
      "OFFSET 0) AS w ORDER BY k.place, w.task_path, w.task_id, w.idx",
      keys);
}

const std::string select_states = states_by(given_keys);
const std::string select_state = states_by(one_key);
const std::string select_tuples = tuples_by(given_keys);
const std::string select_tuple = tuples_by(one_key);
const std::string select_writes = writes_by(given_keys);
const std::string select_writes_of_one = writes_by(one_key);

// --- tuples
// --------------------------------------------------------------------------------------------------- A
// checkpoint whose values are not in it yet.
struct StoredTuple {
  CheckpointTuple tuple;
  std::vector<std::size_t> places;  // of the values' among all that were looked up
};
struct StoredTuples {
  std::vector<StoredTuple> tuples;  // in the order of their keys
  std::vector<std::optional<StoredValue>> values;
};

StoredTuple read_tuple_row(Rows& row, ValueLookup& lookup) {
  StoredTuple out;
  auto& tuple = out.tuple;
  tuple.key.thread_id = row.text();
  tuple.key.ns = row.text();
  tuple.key.checkpoint_id = row.text();
  tuple.parent_id = row.text();
  tuple.checkpoint.type = row.text();
  tuple.checkpoint.data = row.text();
  tuple.metadata = row.text();
  for (auto& [channel, version] : channel_versions(row.view())) {
    out.places.push_back(lookup.add({tuple.key.thread_id, tuple.key.ns, channel, version}));
    tuple.values.push_back({std::move(channel), std::move(version), {}});
  }
  return out;
}

// Both sets of rows are in the order of places.
void read_tuple_rows(Rows& rows, Rows& writes, StoredTuples& out, ValueLookup& lookup) {
  bool any = writes.next();
  std::int64_t of = any ? writes.integer() : 0;
  while (rows.next()) {
    const auto place = rows.integer();
    auto& stored = out.tuples.emplace_back(read_tuple_row(rows, lookup));
    while (any && of <= place) {
      auto write = read_write(writes);
      if (of == place) stored.tuple.writes.push_back(std::move(write));
      any = writes.next();
      of = any ? writes.integer() : 0;
    }
  }
}

Task<Outcome<StoredTuples>> read_tuples(Snapshot& snapshot, SeriesValues& values, Pipeline rows_and_writes) {
  auto results = co_await snapshot.run(std::move(rows_and_writes), Snapshot::Then::more);
  if (!results) co_return fail_with(std::move(results.error()));
  StoredTuples out;
  ValueLookup lookup;
  read_tuple_rows(results->front(), results->back(), out, lookup);
  if (lookup.empty()) co_return out;
  Pipeline pipeline;
  lookup.add_to(pipeline);
  auto found = co_await snapshot.run(std::move(pipeline), Snapshot::Then::done);
  if (!found) co_return fail_with(std::move(found.error()));
  out.values = lookup.read(found->front());
  for (const auto& value : out.values)
    if (const auto ref = value ? value->ref() : std::nullopt) values.want(*ref);
  co_return out;
}

void finish_tuples(StoredTuples& stored, SeriesValues& values) {
  for (auto& [tuple, places] : stored.tuples) {
    std::vector<ChannelValue> found;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto& value = stored.values[places[i]];
      if (!value) continue;
      tuple.values[i].value = StoredValue(*value).whole(values);
      found.push_back(std::move(tuple.values[i]));
    }
    tuple.values = std::move(found);
  }
}

Task<Outcome<StoredTuples>> tuple_of(Snapshot& snapshot, SeriesValues& values, CheckpointKey key) {
  Pipeline pipeline;
  pipeline.add(select_tuple, key.thread_id, key.ns, key.checkpoint_id);
  pipeline.add(select_writes_of_one, key.thread_id, key.ns, key.checkpoint_id);
  return read_tuples(snapshot, values, std::move(pipeline));
}

Task<Outcome<StoredTuples>> tuples_of(Snapshot& snapshot, SeriesValues& values, CheckpointFilter filter) {
  auto keys = co_await list_keys(snapshot, std::move(filter));
  if (!keys) co_return fail_with(std::move(keys.error()));
  if (keys->empty()) co_return StoredTuples{};
  const auto params = KeyParams(*keys).params();
  Pipeline pipeline;
  pipeline.add_prepared(select_tuples, params);
  pipeline.add_prepared(select_writes, params);
  co_return co_await read_tuples(snapshot, values, std::move(pipeline));
}

// --- states
// ---------------------------------------------------------------------------------------------------
using StoredStates = std::vector<StoredState>;

Task<Outcome<StoredStates>> read_stored(Snapshot& snapshot, SeriesValues& values, Pipeline pipeline) {
  auto results = co_await snapshot.run(std::move(pipeline), Snapshot::Then::done);
  if (!results) co_return fail_with(std::move(results.error()));
  StoredStates out;
  while (results->front().next()) out.push_back(read_state_row(results->front(), values));
  co_return out;
}

void finish_states(StoredStates& states, SeriesValues& values) {
  for (auto& stored : states) {
    auto whole = whole_state(std::move(stored), values);
    stored = {std::move(whole), {}};
  }
}

Task<Outcome<StoredStates>> state_of(Snapshot& snapshot, SeriesValues& values, CheckpointKey key) {
  Pipeline pipeline;
  pipeline.add(select_state, key.thread_id, key.ns, key.checkpoint_id);
  return read_stored(snapshot, values, std::move(pipeline));
}

Task<Outcome<StoredStates>> states_of(Snapshot& snapshot, SeriesValues& values, CheckpointFilter filter) {
  auto keys = co_await list_keys(snapshot, std::move(filter));
  if (!keys) co_return fail_with(std::move(keys.error()));
  if (keys->empty()) co_return StoredStates{};
  Pipeline pipeline;
  pipeline.add_prepared(select_states, KeyParams(*keys).params());
  co_return co_await read_stored(snapshot, values, std::move(pipeline));
}

}  // namespace

Task<Outcome<std::optional<CheckpointTuple>>> read_checkpoint(Connection& db, CheckpointKey key) {
  auto found = co_await read_with_values<StoredTuples>(
      db, [&](Snapshot& snapshot, SeriesValues& values) { return tuple_of(snapshot, values, key); },
      finish_tuples);
  if (!found) co_return fail_with(std::move(found.error()));
  if (found->tuples.empty()) co_return std::nullopt;
  co_return std::move(found->tuples.front().tuple);
}

Task<Outcome<std::vector<CheckpointTuple>>> read_checkpoints(Connection& db, CheckpointFilter filter) {
  auto found = co_await read_with_values<StoredTuples>(
      db, [&](Snapshot& snapshot, SeriesValues& values) { return tuples_of(snapshot, values, filter); },
      finish_tuples);
  if (!found) co_return fail_with(std::move(found.error()));
  std::vector<CheckpointTuple> out;
  for (auto& stored : found->tuples) out.push_back(std::move(stored.tuple));
  co_return out;
}

Task<Outcome<std::optional<CheckpointState>>> read_state(Connection& db, CheckpointKey key) {
  auto found = co_await read_with_values<StoredStates>(
      db, [&](Snapshot& snapshot, SeriesValues& values) { return state_of(snapshot, values, key); },
      finish_states);
  if (!found) co_return fail_with(std::move(found.error()));
  if (found->empty()) co_return std::nullopt;
  co_return std::move(found->front().state);
}

Task<Outcome<std::vector<CheckpointState>>> read_states(Connection& db, CheckpointFilter filter) {
  auto found = co_await read_with_values<StoredStates>(
      db, [&](Snapshot& snapshot, SeriesValues& values) { return states_of(snapshot, values, filter); },
      finish_states);
  if (!found) co_return fail_with(std::move(found.error()));
  std::vector<CheckpointState> out;
  for (auto& stored : *found) out.push_back(std::move(stored.state));
  co_return out;
}

}  // namespace dg::store::postgres
