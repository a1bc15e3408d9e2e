// Keys for the API: written and read.
#include <fmt/format.h>

#include "store/sqlite/apply.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/rows.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view insert_key =
    "INSERT INTO api_keys (id, secret_hash, user_id, role, name, created_at, expires_at, last_used_at, "
    "revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
constexpr std::string_view revoke_key =
    "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
constexpr std::string_view note_use =
    "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?2) WHERE id = ?1";
constexpr std::string_view columns =
    "id, secret_hash, user_id, role, name, created_at, coalesce(expires_at, 0), coalesce(last_used_at, 0), "
    "coalesce(revoked_at, 0)";
const std::string select_key = fmt::format("SELECT {} FROM api_keys WHERE id = ?", columns);
const std::string select_keys = fmt::format("SELECT {} FROM api_keys ORDER BY created_at, id", columns);

}  // namespace

void apply(WriteContext& context, const AddApiKey& change) {
  const auto& k = change.key;
  execute(context.db, insert_key, k.id, k.secret_hash, k.user, k.role, k.name, k.created_at, k.expires_at,
          k.last_used_at, k.revoked_at);
}

void apply(WriteContext& context, const RevokeApiKey& change) {
  execute(context.db, revoke_key, change.id, context.now);
}

void apply(WriteContext& context, const NoteApiKeyUse& change) {
  execute(context.db, note_use, change.id, context.now);
}

std::optional<ApiKey> read_api_key(Database& db, const std::string& id) {
  Query query(db, select_key, id);
  return query.next() ? std::optional(read_api_key_row(query)) : std::nullopt;
}

std::vector<ApiKey> read_api_keys(Database& db) {
  std::vector<ApiKey> out;
  for (Query query(db, select_keys); query.next();) out.push_back(read_api_key_row(query));
  return out;
}

}  // namespace dg::store::sqlite
