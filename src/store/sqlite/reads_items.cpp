#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "store/documents.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/rows.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_one =
    "SELECT ns, key, value, created_at, updated_at FROM items WHERE project = 'default' AND ns_key = ? AND "
    "key = ?";
// ?1 the prefix's own key, ?2 and ?3 the bounds of what lies below it
constexpr std::string_view select_below =
    "SELECT ns, key, value, created_at, updated_at FROM items WHERE project = 'default' "
    "AND ns_key >= ?1 AND ns_key < ?3 AND (ns_key = ?1 OR ns_key >= ?2) ORDER BY updated_at DESC, key, "
    "ns_key";
constexpr std::string_view select_all =
    "SELECT ns, key, value, created_at, updated_at FROM items WHERE project = 'default' "
    "ORDER BY updated_at DESC, key, ns_key";
constexpr std::string_view select_namespaces =
    "SELECT DISTINCT ns_key, ns FROM items WHERE project = 'default' ORDER BY ns_key";

constexpr std::string_view session_columns =
    "id, secret_hash, worker, revision, slots, supervised, graphs, connected_at, draining, instance_id, "
    "connection, ended";
const std::string select_sessions =
    fmt::format("SELECT {} FROM sessions ORDER BY connected_at, id", session_columns);
const std::string select_session = fmt::format("SELECT {} FROM sessions WHERE id = ?", session_columns);
constexpr std::string_view select_graphs =
    "SELECT graph_id, description, error, updated_at, declared FROM graphs ORDER BY graph_id";
const std::string select_leases = fmt::format("SELECT {} FROM leases ORDER BY owner", lease_columns);
const std::string select_lease = fmt::format("SELECT {} FROM leases WHERE owner = ?", lease_columns);

std::vector<Item> filter_rows(Query& query, const ItemSearch& search) {
  std::vector<Item> out;
  std::int64_t place = 0;
  while (std::ssize(out) < search.limit && query.next()) {
    auto item = read_item_row(query);
    if (item_matches(item.value, search.filter) && place++ >= search.offset) out.push_back(std::move(item));
  }
  return out;
}

}  // namespace

std::optional<Item> read_item(Database& db, const std::vector<std::string>& ns, const std::string& key) {
  Query query(db, select_one, namespace_key(ns), key);
  if (!query.next()) return std::nullopt;
  return read_item_row(query);
}

std::vector<Item> read_items(Database& db, const ItemSearch& search) {
  if (search.prefix.empty()) {
    Query query(db, select_all);
    return filter_rows(query, search);
  }
  const auto key = namespace_key(search.prefix);
  const auto first = key + namespace_separator;
  const auto last = key + static_cast<char>(namespace_separator + 1);
  Query query(db, select_below, key, first, last);
  return filter_rows(query, search);
}

std::vector<std::vector<std::string>> read_namespaces(Database& db, const NamespaceSearch& search) {
  NamespaceMatches matches(search);
  for (Query query(db, select_namespaces); query.next();) {
    query.skip();
    matches.add(list_from(query.view()));
  }
  return matches.page();
}

std::optional<Session> read_session(Database& db, const std::string& id) {
  Query query(db, select_session, id);
  return query.next() ? std::optional(read_session_row(query)) : std::nullopt;
}

std::vector<Session> read_sessions(Database& db) {
  std::vector<Session> out;
  for (Query query(db, select_sessions); query.next();) out.push_back(read_session_row(query));
  return out;
}

std::vector<Lease> read_leases(Database& db) {
  std::vector<Lease> out;
  for (Query query(db, select_leases); query.next();) out.push_back(read_lease(query));
  return out;
}

std::optional<Lease> read_lease_of(Database& db, const std::string& owner) {
  Query query(db, select_lease, owner);
  if (!query.next()) return std::nullopt;
  return read_lease(query);
}

std::vector<GraphRow> read_graphs(Database& db) {
  std::vector<GraphRow> out;
  for (Query query(db, select_graphs); query.next();) out.push_back(read_graph_row(query));
  return out;
}

}  // namespace dg::store::sqlite
