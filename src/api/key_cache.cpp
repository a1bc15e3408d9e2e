#include "api/key_cache.hpp"

#include "base/log.hpp"

namespace dg::api {
namespace {

// When a key was last used is known to within that.
constexpr auto use_noted_each = std::chrono::minutes(5);

Task<void> write_use(app::Context& context, std::string id) {
  store::Commit commit{.at = context.env.clock.now()};
  commit.changes.emplace_back(store::NoteApiKeyUse{id});
  const auto done = co_await context.store.commit(std::move(commit));
  if (!done) log::warn("the use of the key {} could not be noted: {}", id, done.error().message);
}

}  // namespace

const KeyCache::Entry* KeyCache::fresh(const std::string& id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return nullptr;
  return context_.env.timers.now() - found->second.read_at < limits_.kept ? &found->second : nullptr;
}

void KeyCache::make_room() {
  if (entries_.size() < limits_.entries) return;
  std::erase_if(entries_, [this](const auto& entry) { return fresh(entry.first) == nullptr; });
  if (entries_.size() >= limits_.entries) entries_.clear();
}

Task<Result<std::optional<store::ApiKey>>> KeyCache::find(std::string id) {
  if (const auto* const entry = fresh(id)) co_return entry->key;
  const auto turn = co_await lines_.enter(id);
  if (const auto* const entry = fresh(id)) co_return entry->key;
  const auto asked_at = context_.env.timers.now();
  auto key = co_await context_.store.api_key(id);
  if (!key)
    co_return fail(Errc::unavailable, "the database cannot be asked for the key: " + key.error().message);
  make_room();
  entries_.insert_or_assign(std::move(id), Entry{*key, asked_at});
  co_return std::move(*key);
}

void KeyCache::note_use(const std::string& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.key) return;
  auto& last_used_at = found->second.key->last_used_at;
  const auto now = context_.env.clock.now();
  if (last_used_at && now - *last_used_at < use_noted_each) return;
  last_used_at = now;
  spawn(context_.env.timers.executor(), "key use", write_use(context_, id));
}

}  // namespace dg::api
