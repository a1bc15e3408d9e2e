#include "store/sqlite/apply.hpp"
#include "store/sqlite/rows.hpp"

namespace dg::store::sqlite {
namespace {

// Two writes of a key within one microsecond still have an order.
constexpr std::string_view upsert_item =
    "INSERT INTO items (ns_key, key, ns, value, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5) "
    "ON CONFLICT DO UPDATE SET value = excluded.value, updated_at = max(excluded.updated_at, updated_at + 1)";
constexpr std::string_view delete_item =
    "DELETE FROM items WHERE project = 'default' AND ns_key = ? AND key = ?";
constexpr std::string_view upsert_session =
    "INSERT OR REPLACE INTO sessions (id, secret_hash, worker, revision, slots, supervised, graphs, "
    "connected_at, draining, instance_id, connection, ended) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view disconnect_session = "UPDATE sessions SET instance_id = '' WHERE id = ?";
constexpr std::string_view end_session = "UPDATE sessions SET ended = ? WHERE id = ?";
constexpr std::string_view delete_session = "DELETE FROM sessions WHERE id = ? AND ended <> ''";
constexpr std::string_view upsert_graph =
    "INSERT OR REPLACE INTO graphs (graph_id, description, error, updated_at, declared) VALUES (?, ?, ?, ?, "
    "?)";

}  // namespace

void apply(WriteContext& context, const PutItem& change) {
  execute(context.db, upsert_item, namespace_key(change.ns), change.key, json_list(change.ns), change.value,
          context.now);
}

void apply(WriteContext& context, const EraseItem& change) {
  execute(context.db, delete_item, namespace_key(change.ns), change.key);
}

void apply(WriteContext& context, const PutSession& change) {
  const auto& s = change.session;
  execute(context.db, upsert_session, s.id, s.secret_hash, s.worker, s.revision, s.slots, s.supervised,
          s.graphs, s.connected_at, s.draining, s.instance, s.connection, s.ended);
}

void apply(WriteContext& context, const DisconnectSession& change) {
  execute(context.db, disconnect_session, change.id);
}

void apply(WriteContext& context, const EndSession& change) {
  execute(context.db, end_session, change.reason, change.id);
}

void apply(WriteContext& context, const EraseSession& change) {
  execute(context.db, delete_session, change.id);
}

void apply(WriteContext& context, const PutGraph& change) {
  const auto& g = change.graph;
  execute(context.db, upsert_graph, g.graph_id, g.description, g.error, g.updated_at, g.declared);
}

}  // namespace dg::store::sqlite
