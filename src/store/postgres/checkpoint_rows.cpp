#include "store/postgres/checkpoint_rows.hpp"

#include <fmt/format.h>

#include "base/json.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view select_values =
    "SELECT k.place, v.type, v.series, v.blob FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) "
    "WITH ORDINALITY AS k(thread_id, ns, channel, version, place) CROSS JOIN LATERAL (SELECT type, series, "
    "blob "
    "FROM checkpoint_values WHERE thread_id = k.thread_id AND checkpoint_ns = k.ns AND channel = k.channel "
    "AND version = k.version OFFSET 0) AS v";

// $1 the thread, $2 the namespace, $3 an exact id, $4 the bound above. Each combination of conditions is a
// statement of its own, so that the primary key answers it. Copies of a checkpoint share its id.
std::string select_keys(const CheckpointFilter& filter) {
  return fmt::format(
      "SELECT thread_id, checkpoint_ns, checkpoint_id, metadata FROM checkpoints WHERE true{}{}{}{} "
      "ORDER BY checkpoint_id DESC, thread_id DESC, checkpoint_ns DESC",
      filter.thread_id ? " AND thread_id = $1" : "", filter.ns ? " AND checkpoint_ns = $2" : "",
      filter.checkpoint_id.empty() ? "" : " AND checkpoint_id = $3",
      filter.before.empty() ? "" : " AND checkpoint_id < $4");
}

Params params_of(const CheckpointFilter& filter) {
  return Params(filter.thread_id, filter.ns, filter.checkpoint_id, filter.before);
}

CheckpointKey read_key(Rows& row) {
  CheckpointKey key;
  key.thread_id = row.text();
  key.ns = row.text();
  key.checkpoint_id = row.text();
  return key;
}

Task<Outcome<std::vector<CheckpointKey>>> list_in_sql(Snapshot& snapshot, CheckpointFilter filter) {
  auto params = params_of(filter);
  params.add(filter.limit > 0 ? std::optional(filter.limit) : std::nullopt);
  Pipeline pipeline;
  pipeline.add_prepared(select_keys(filter) + " LIMIT $5", std::move(params));
  auto results = co_await snapshot.run(std::move(pipeline), Snapshot::Then::more);
  if (!results) co_return fail_with(std::move(results.error()));
  std::vector<CheckpointKey> keys;
  while (results->front().next()) keys.push_back(read_key(results->front()));
  co_return keys;
}

// Metadata is text, which the database does not look into.
Task<Outcome<std::vector<CheckpointKey>>> list_by_walk(Snapshot& snapshot, CheckpointFilter filter) {
  Walk walk(snapshot, "checkpoint_walk", select_keys(filter), params_of(filter));
  std::vector<CheckpointKey> keys;
  const auto is_full = [&] { return filter.limit > 0 && std::ssize(keys) >= filter.limit; };
  for (bool more = true; more && !is_full();) {
    auto rows = co_await walk.next();
    if (!rows) co_return fail_with(std::move(rows.error()));
    more = rows->size() > 0;
    while (!is_full() && rows->next()) {
      auto key = read_key(*rows);
      if (json::contains(json::View(rows->view()), json::View(filter.metadata)))
        keys.push_back(std::move(key));
    }
  }
  co_return keys;
}

}  // namespace

KeyParams::KeyParams(const std::vector<CheckpointKey>& keys) {
  for (const auto& key : keys) {
    thread_ids.push_back(key.thread_id);
    namespaces.push_back(key.ns);
    checkpoint_ids.push_back(key.checkpoint_id);
  }
}

TypedBlob StoredValue::whole(SeriesValues& values) && {
  if (const auto at = ref()) data = values.value(*at);
  return {std::move(type), std::move(data)};
}

std::size_t ValueLookup::add(ValueKey key) {
  const auto [found, is_new] = places_.try_emplace(std::move(key), keys_.size());
  if (is_new) keys_.push_back(found->first);
  return found->second;
}

std::size_t ValueLookup::add_to(Pipeline& pipeline) const {
  std::vector<std::string> thread_ids, namespaces, channels, versions;
  for (const auto& key : keys_) {
    thread_ids.push_back(key.thread_id);
    namespaces.push_back(key.ns);
    channels.push_back(key.channel);
    versions.push_back(key.version);
  }
  return pipeline.add(select_values, thread_ids, namespaces, channels, versions);
}

std::vector<std::optional<StoredValue>> ValueLookup::read(Rows& rows) const {
  std::vector<std::optional<StoredValue>> out(keys_.size());
  while (rows.next()) {
    auto& value = out[static_cast<std::size_t>(rows.integer() - 1)].emplace();
    value.type = rows.text();
    value.series = rows.integer();
    value.data = rows.text();
  }
  return out;
}

Task<Outcome<std::vector<CheckpointKey>>> list_keys(Snapshot& snapshot, CheckpointFilter filter) {
  const bool any = json::contains(json::View("{}"), json::View(filter.metadata));
  if (any) return list_in_sql(snapshot, std::move(filter));
  return list_by_walk(snapshot, std::move(filter));
}

}  // namespace dg::store::postgres
