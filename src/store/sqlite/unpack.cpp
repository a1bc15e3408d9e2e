#include "store/sqlite/unpack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "store/documents.hpp"
#include "store/sqlite/pack_rows.hpp"
#include "store/sqlite/packs.hpp"
#include "store/sqlite/reads.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view insert_pack_row =
    "INSERT INTO packs (thread_id, first_checkpoint_id, last_checkpoint_id, needs, data) "
    "VALUES (?, ?, ?, ?, ?) RETURNING id";
constexpr std::string_view insert_key = "INSERT INTO pack_keys (key, pack) VALUES (?, ?)";
constexpr std::string_view delete_key = "DELETE FROM pack_keys WHERE key = ? AND pack = ?";
constexpr std::string_view delete_pack_row = "DELETE FROM packs WHERE id = ?";
constexpr std::string_view empty_pack_row =
    "UPDATE packs SET first_checkpoint_id = '', last_checkpoint_id = '', needs = x'', data = ?2 WHERE id = "
    "?1";

template <class Row>
std::string insert_into(std::string_view table, std::string_view places) {
  return fmt::format("INSERT OR IGNORE INTO {} (thread_id, {}) VALUES (?, {})", table, packed_columns<Row>,
                     places);
}
const std::string insert_checkpoint =
    insert_into<pack::CheckpointRow>("checkpoints", "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?");
const std::string insert_value = insert_into<pack::ValueRow>("checkpoint_values", "?, ?, ?, ?, ?, ?");
const std::string insert_write = insert_into<pack::WriteRow>("checkpoint_writes", "?, ?, ?, ?, ?, ?, ?, ?");
const std::string insert_task = insert_into<pack::TaskRow>("checkpoint_tasks", "?, ?, ?, ?");
const std::string insert_event = fmt::format(
    "INSERT INTO events (thread_id, aggregate, {}) VALUES (?1, 'run', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    packed_columns<pack::EventRow>);
// Only where the run is still there; its events are there in any case.
constexpr std::string_view insert_request =
    "INSERT INTO requests (run_id, request) SELECT id, ?2 FROM runs WHERE id = ?1 AND packed = 1";
constexpr std::string_view set_unpacked = "UPDATE runs SET packed = 0 WHERE id = ?";
// Of a pack whose contents nobody knows; both look through their whole table.
constexpr std::string_view delete_keys_of_pack = "DELETE FROM pack_keys WHERE pack = ?";
constexpr std::string_view leave_whole_pack = "UPDATE heads SET pack = 0 WHERE type = 'run' AND pack = ?";
constexpr std::string_view leave_pack =
    "UPDATE heads SET pack = 0 WHERE aggregate_id = ?1 AND type = 'run' AND pack = ?2";

constexpr std::string_view select_of_thread =
    "SELECT id FROM packs WHERE thread_id = ? ORDER BY last_checkpoint_id";
constexpr std::string_view select_with_key =
    "SELECT p.id FROM pack_keys AS k JOIN packs AS p ON p.id = k.pack WHERE k.key = ?";
constexpr std::string_view has_value =
    "SELECT 1 FROM checkpoint_values WHERE thread_id = ? AND ns = ? AND channel = ? AND version = ?";

template <class... Values>
bool finds(Database& db, std::string_view sql, const Values&... values) {
  return Query(db, sql, values...).next();
}

void forget_keys(Database& db, const HeldPack& held) {
  for (const auto key : pack::summary_of(held.thread_id, *held.contents).keys)
    execute(db, delete_key, key, held.id);
}

using ChannelVersions = std::set<std::pair<std::string, std::string>>;

// What the checkpoint names and does not bring, where no row has it.
ChannelVersions missing_values(Database& db, const NewCheckpoint& c) {
  ChannelVersions out;
  for (auto& entry : channel_versions(c.channel_versions)) out.insert(std::move(entry));
  for (const auto& value : c.values) out.erase({value.channel, value.version});
  std::erase_if(out, [&](const auto& entry) {
    return finds(db, has_value, c.key.thread_id, c.key.ns, entry.first, entry.second);
  });
  return out;
}

bool holds_any(const pack::Contents& contents, const std::string& ns, const ChannelVersions& wanted) {
  return std::ranges::any_of(contents.values, [&](const auto& row) {
    return row.ns == ns && wanted.contains({row.channel, row.version});
  });
}

bool holds_newest(Database& db, const HeldPack& held) {
  std::set<std::string> spaces;
  for (const auto& row : held.contents->checkpoints) spaces.insert(row.ns);
  return std::ranges::any_of(spaces, [&](const auto& ns) {
    const auto newest = newest_checkpoint(db, held.thread_id, ns);
    return newest && held.contents->find(ns, newest->checkpoint_id) != nullptr;
  });
}

void unpack(Database& db, const HeldPack& held) {
  insert_rows(db, held.thread_id, *held.contents);
  for (const auto& row : held.contents->events) put_row(db, insert_event, held.thread_id, row);
  for (const auto& row : held.contents->requests) {
    execute(db, insert_request, row.run_id, row.request);
    execute(db, set_unpacked, row.run_id);
    execute(db, leave_pack, row.run_id, held.id);
  }
  forget_keys(db, held);
  execute(db, delete_pack_row, held.id);
}

void erase_checkpoints_in(Database& db, const HeldPack& held) {
  forget_keys(db, held);
  if (held.contents->events.empty()) return execute(db, delete_pack_row, held.id);
  const pack::Contents rest{.events = held.contents->events, .requests = held.contents->requests};
  execute(db, empty_pack_row, held.id, Blob{pack::encode(rest)});
}

}  // namespace

void insert_rows(Database& db, const std::string& thread_id, const pack::Contents& contents) {
  for (const auto& row : contents.checkpoints) put_row(db, insert_checkpoint, thread_id, row);
  for (const auto& row : contents.values) put_row(db, insert_value, thread_id, row);
  for (const auto& row : contents.writes) put_row(db, insert_write, thread_id, row);
  for (const auto& row : contents.tasks) put_row(db, insert_task, thread_id, row);
}

std::int64_t insert_pack(Database& db, const std::string& thread_id, const pack::Contents& contents) {
  const auto summary = pack::summary_of(thread_id, contents);
  std::int64_t id = 0;
  Query query(db, insert_pack_row, thread_id, summary.first_checkpoint_id, summary.last_checkpoint_id,
              Blob{summary.needs}, Blob{pack::encode(contents)});
  while (query.next()) id = query.integer();
  for (const auto key : summary.keys) execute(db, insert_key, key, id);
  return id;
}

void unpack(Database& db, std::int64_t id) {
  if (const auto held = Packs(db).load(id); held.contents) unpack(db, held);
}

void unpack_run(Database& db, const std::string& run_id) {
  if (const auto held = Packs(db).of_run(run_id); held.contents) unpack(db, held);
}

void unpack_checkpoint(Database& db, const CheckpointKey& key) {
  if (const auto held = Packs(db).holding(key); held.contents) unpack(db, held);
}

void unpack_checkpoints_of_run(Database& db, const std::string& run_id, bool by_metadata) {
  for (const auto id : pack_ids(db, select_with_key, pack::key_of_run(run_id))) {
    const auto held = Packs(db).load(id);
    if (!held.contents) return;
    const bool concerned = std::ranges::any_of(held.contents->checkpoints, [&](const auto& row) {
      return row.run_id == run_id || (by_metadata && row.metadata_run_id == run_id);
    });
    if (concerned) unpack(db, held);
  }
}

void unpack_before(Database& db, const NewCheckpoint& c) {
  const auto& [thread_id, ns, id] = c.key;
  if (!finds(db, select_of_thread, thread_id)) return;
  unpack_checkpoint(db, c.key);
  // What it does not bring itself it has from its parent, or from the checkpoint that it is a copy of. Most
  // versions without a value never had one.
  const auto missing = missing_values(db, c);
  std::set<std::int64_t> candidates;
  for (const auto& [channel, version] : missing)
    for (const auto pack : pack_ids(db, select_with_key, pack::key_of_version(thread_id, ns, version)))
      candidates.insert(pack);
  for (const auto pack : candidates) {
    const auto held = Packs(db).load(pack);
    if (held.contents && held.thread_id == thread_id && holds_any(*held.contents, ns, missing))
      unpack(db, held);
  }
}

void unpack_thread(Database& db, const std::string& thread_id) {
  for (const auto id : pack_ids(db, select_of_thread, thread_id)) unpack(db, id);
}

void unpack_newest(Database& db, const std::string& thread_id) {
  if (const auto newest = newest_checkpoint(db, thread_id, "")) unpack_checkpoint(db, *newest);
}

bool erase_packed_checkpoints(Database& db, const std::string& thread_id, bool keep_newest) {
  const auto ids = pack_ids(db, select_of_thread, thread_id);
  for (const auto id : ids) {
    const auto held = Packs(db).load(id);
    if (!held.contents) break;
    if (keep_newest && holds_newest(db, held)) {
      unpack(db, held);
    } else if (!held.contents->checkpoints.empty()) {
      erase_checkpoints_in(db, held);
    }
  }
  return !ids.empty();
}

void drop_damaged_packs(Database& db, const std::string& thread_id) {
  for (const auto id : pack_ids(db, select_of_thread, thread_id)) {
    if (Packs(db).read(id)) continue;
    for (const auto statement : {leave_whole_pack, delete_keys_of_pack, delete_pack_row})
      execute(db, statement, id);
  }
}

}  // namespace dg::store::sqlite
