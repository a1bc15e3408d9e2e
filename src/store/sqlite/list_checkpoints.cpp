#include "store/sqlite/list_checkpoints.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/json.hpp"

namespace dg::store::sqlite {
namespace {

// The keys of a list are found and ordered first, without the large columns. ?1 an exact id, ?2 the
// bound above, ?3 the thread, ?4 the namespace.
constexpr std::string_view list_head =
    "SELECT thread_id, ns, checkpoint_id, metadata FROM checkpoints WHERE ";
constexpr std::string_view list_tail =
    "(?1 = '' OR checkpoint_id = ?1) AND (?2 = '' OR checkpoint_id < ?2) ORDER BY checkpoint_id DESC";
const std::string list_all =
    fmt::format("{}(?3 IS NULL) AND (?4 IS NULL OR ns = ?4) AND {}", list_head, list_tail);
const std::string list_thread = fmt::format("{}thread_id = ?3 AND (?4 IS NULL) AND {}", list_head, list_tail);
const std::string list_namespace = fmt::format("{}thread_id = ?3 AND ns = ?4 AND {}", list_head, list_tail);

// Packs that may hold some of them, from the one that ends last.
constexpr std::string_view packs_head = "SELECT id, thread_id, last_checkpoint_id FROM packs WHERE ";
constexpr std::string_view packs_tail =
    "last_checkpoint_id <> '' AND (?1 = '' OR (first_checkpoint_id <= ?1 AND last_checkpoint_id >= ?1)) "
    "AND (?2 = '' OR first_checkpoint_id < ?2) ORDER BY last_checkpoint_id DESC";
const std::string packs_all = fmt::format("{}(?3 IS NULL) AND {}", packs_head, packs_tail);
const std::string packs_of_thread = fmt::format("{}thread_id = ?3 AND {}", packs_head, packs_tail);

class RowKeys {
 public:
  RowKeys(Database& db, const CheckpointFilter& filter)
      : query_(db, statement(filter), filter.checkpoint_id, filter.before, filter.thread_id, filter.ns),
        metadata_(filter.metadata) {
    skip();
  }

  // The next key, or null.
  const CheckpointKey* peek() const { return any_ ? &key_ : nullptr; }
  void skip() {
    while ((any_ = query_.next())) {
      key_.thread_id = query_.text();
      key_.ns = query_.text();
      key_.checkpoint_id = query_.text();
      if (json::contains(json::View(query_.view()), json::View(metadata_))) return;
    }
  }

 private:
  static const std::string& statement(const CheckpointFilter& filter) {
    return !filter.thread_id ? list_all : filter.ns ? list_namespace : list_thread;
  }

  Query query_;
  const std::string& metadata_;
  CheckpointKey key_;
  bool any_ = false;
};

// Packs may overlap, so the keys of one wait until no pack that was not read yet can hold a newer one.
class PackedKeys {
 public:
  PackedKeys(Database& db, Packs& packs, const CheckpointFilter& filter)
      : packs_(packs),
        filter_(filter),
        query_(db, filter.thread_id ? packs_of_thread : packs_all, filter.checkpoint_id, filter.before,
               filter.thread_id) {
    advance();
  }

  // The next key where it is newer than `than`; reads no pack that cannot hold one.
  const CheckpointKey* peek(std::string_view than) {
    while (any_ && last_ > than && (waiting_.empty() || waiting_.rbegin()->first <= last_)) read();
    if (waiting_.empty() || waiting_.rbegin()->first <= than) return nullptr;
    return &waiting_.rbegin()->second;
  }
  void skip() { waiting_.erase(std::prev(waiting_.end())); }

 private:
  void advance() {
    any_ = query_.next();
    if (!any_) return;
    id_ = query_.integer();
    thread_id_ = query_.text();
    last_ = query_.text();
  }

  void read() {
    if (const auto held = packs_.load(id_); held.contents)
      for (const auto& row : held.contents->checkpoints)
        if (matches(row))
          waiting_.emplace(row.checkpoint_id, CheckpointKey{thread_id_, row.ns, row.checkpoint_id});
    advance();
  }

  bool matches(const pack::CheckpointRow& row) const {
    return (!filter_.ns || row.ns == *filter_.ns) &&
           (filter_.checkpoint_id.empty() || row.checkpoint_id == filter_.checkpoint_id) &&
           (filter_.before.empty() || row.checkpoint_id < filter_.before) &&
           json::contains(json::View(row.metadata), json::View(filter_.metadata));
  }

  Packs& packs_;
  const CheckpointFilter& filter_;
  Query query_;
  bool any_ = false;
  std::int64_t id_ = 0;
  std::string thread_id_;
  std::string last_;
  std::multimap<std::string, CheckpointKey> waiting_;  // by id
};

}  // namespace

std::vector<CheckpointKey> list_checkpoint_keys(Database& db, Packs& packs, const CheckpointFilter& filter) {
  std::vector<CheckpointKey> keys;
  RowKeys rows(db, filter);
  PackedKeys packed(db, packs, filter);
  while (filter.limit <= 0 || std::ssize(keys) < filter.limit) {
    const auto* const row = rows.peek();
    if (const auto* const key = packed.peek(row != nullptr ? row->checkpoint_id : std::string_view())) {
      keys.push_back(*key);
      packed.skip();
    } else if (row != nullptr) {
      keys.push_back(*row);
      rows.skip();
    } else {
      break;
    }
  }
  return keys;
}

}  // namespace dg::store::sqlite
