#include "store/postgres/api_keys.hpp"

#include <fmt/format.h>

#include <utility>

#include "store/columns.hpp"
#include "store/postgres/tables.hpp"

namespace dg::store::postgres {
namespace {

const std::string insert_keys = insert_rows(
    "api_keys", "id, secret_hash, user_id, role, name, created_at, expires_at, last_used_at, revoked_at",
    "ON CONFLICT DO NOTHING");
constexpr std::string_view revoke_keys =
    "UPDATE api_keys AS k SET revoked_at = w.at FROM unnest($1, $2) AS w (id, at) WHERE k.id = w.id AND "
    "k.revoked_at IS NULL";
constexpr std::string_view note_uses =
    "UPDATE api_keys AS k SET last_used_at = greatest(k.last_used_at, w.at) FROM unnest($1, $2) AS w (id, "
    "at) "
    "WHERE k.id = w.id";
constexpr std::string_view columns =
    "id, secret_hash, user_id, role, name, created_at, coalesce(expires_at, 'epoch'), "
    "coalesce(last_used_at, 'epoch'), coalesce(revoked_at, 'epoch')";
const std::string select_key = fmt::format("SELECT {} FROM api_keys WHERE id = $1", columns);
const std::string select_keys = fmt::format("SELECT {} FROM api_keys ORDER BY created_at, id", columns);

using TimeById = std::pair<const std::string, WallTime>;

Params columns_of_times(const std::map<std::string, WallTime>& rows) {
  const std::vector<TimeById> list(rows.begin(), rows.end());
  return Params().add_column(list, &TimeById::first).add_column(list, &TimeById::second);
}

}  // namespace

void ApiKeyWrites::take_into(Pipeline& pipeline) {
  std::vector<ApiKey> rows;
  for (auto& [id, key] : std::exchange(added, {})) rows.push_back(std::move(key));
  if (!rows.empty())
    pipeline.add_prepared(insert_keys, Params()
                                           .add_column(rows, &ApiKey::id)
                                           .add_column(rows, &ApiKey::secret_hash)
                                           .add_column(rows, &ApiKey::user)
                                           .add_column(rows, &ApiKey::role)
                                           .add_column(rows, &ApiKey::name)
                                           .add_column(rows, &ApiKey::created_at)
                                           .add_column(rows, &ApiKey::expires_at)
                                           .add_column(rows, &ApiKey::last_used_at)
                                           .add_column(rows, &ApiKey::revoked_at));
  if (!revoked.empty()) pipeline.add_prepared(revoke_keys, columns_of_times(std::exchange(revoked, {})));
  if (!used.empty()) pipeline.add_prepared(note_uses, columns_of_times(std::exchange(used, {})));
}

Task<Outcome<std::optional<ApiKey>>> read_api_key(Connection& db, std::string id) {
  auto rows = co_await db.query(select_key, id);
  if (!rows) co_return fail_with(std::move(rows.error()));
  if (!rows->next()) co_return std::nullopt;
  co_return read_api_key_row(*rows);
}

Task<Outcome<std::vector<ApiKey>>> read_api_keys(Connection& db) {
  auto rows = co_await db.query(select_keys);
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::vector<ApiKey> out;
  while (rows->next()) out.push_back(read_api_key_row(*rows));
  co_return out;
}

}  // namespace dg::store::postgres
