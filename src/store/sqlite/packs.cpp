#include "store/sqlite/packs.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_pack = "SELECT thread_id, data FROM packs WHERE id = ?";
constexpr std::string_view select_covering =
    "SELECT id FROM packs WHERE thread_id = ?1 AND last_checkpoint_id >= ?2 AND first_checkpoint_id <= ?2 "
    "ORDER BY last_checkpoint_id";
constexpr std::string_view has_newer =
    "SELECT 1 FROM packs WHERE thread_id = ? AND last_checkpoint_id > ? LIMIT 1";
constexpr std::string_view select_of_namespace =
    "SELECT p.id, p.last_checkpoint_id FROM pack_keys AS k JOIN packs AS p ON p.id = k.pack WHERE k.key = ? "
    "AND p.thread_id = ? ORDER BY p.last_checkpoint_id DESC";
constexpr std::string_view select_of_run =
    "SELECT pack FROM heads WHERE aggregate_id = ? AND type = 'run' AND pack <> 0";

}  // namespace

Result<HeldPack> Packs::read(std::int64_t id) {
  const auto known = std::ranges::find(kept_, id, &HeldPack::id);
  if (known != kept_.end()) {
    std::rotate(kept_.begin(), known, std::next(known));
    return kept_.front();
  }
  Query query(db_, select_pack, id);
  if (!query.next()) return fail(Errc::internal, fmt::format("the pack {} is missing", id));
  const auto thread_id = query.text();
  auto contents = pack::decode(query.view());
  if (!contents)
    return fail(Errc::internal, fmt::format("the pack {} of the thread {} cannot be read: {}", id, thread_id,
                                            contents.error().message));
  if (kept_.size() >= most_kept_) kept_.pop_back();
  kept_.push_front({id, thread_id, std::make_shared<const pack::Contents>(std::move(*contents))});
  return kept_.front();
}

HeldPack Packs::load(std::int64_t id) {
  if (db_.failed()) return {};
  auto held = read(id);
  if (held) return std::move(*held);
  db_.fail_with({Errc::internal, held.error().message + "; run `duragraph verify`", {}});
  return {};
}

HeldPack Packs::holding(const CheckpointKey& key) {
  for (const auto id : pack_ids(db_, select_covering, key.thread_id, key.checkpoint_id)) {
    auto held = load(id);
    if (held.contents && held.contents->find(key.ns, key.checkpoint_id) != nullptr) return held;
  }
  return {};
}

std::string Packs::newest_after(const std::string& thread_id, const std::string& ns, const std::string& id) {
  std::string newest;
  if (Query newer(db_, has_newer, thread_id, id); !newer.next()) return newest;
  Query query(db_, select_of_namespace, pack::key_of_namespace(thread_id, ns), thread_id);
  while (query.next()) {
    const auto pack = query.integer();
    if (query.view() <= std::max(newest, id)) break;
    const auto held = load(pack);
    if (!held.contents) break;
    for (const auto& row : held.contents->checkpoints)
      if (row.ns == ns && row.checkpoint_id > std::max(newest, id)) newest = row.checkpoint_id;
  }
  return newest;
}

HeldPack Packs::of_run(const std::string& run_id) {
  for (const auto id : pack_ids(db_, select_of_run, run_id)) return load(id);
  return {};
}

std::string Packs::request_of(const std::string& run_id) {
  const auto held = of_run(run_id);
  if (!held.contents) return "{}";
  const auto& requests = held.contents->requests;
  const auto found = std::ranges::find(requests, run_id, &pack::RequestRow::run_id);
  return found == requests.end() ? "{}" : found->request;
}

}  // namespace dg::store::sqlite
