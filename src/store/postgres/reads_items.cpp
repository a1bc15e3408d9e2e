#include <fmt/format.h>

#include <algorithm>

#include "store/documents.hpp"
#include "store/postgres/reads.hpp"
#include "store/postgres/reads_rows.hpp"
#include "store/postgres/snapshot.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view item_columns = "namespace, key, value, created_at, updated_at";
const std::string select_one = fmt::format(
    "SELECT {} FROM store_items WHERE project = 'default' AND namespace_key = $1 AND key = $2", item_columns);

// What is in a namespace or below it: $1 its own key, $2 and $3 the bounds of what lies below.
constexpr std::string_view below =
    " AND namespace_key >= $1 AND namespace_key < $3 AND (namespace_key = $1 OR namespace_key >= $2)";

std::string select_items(bool any_prefix) {
  return fmt::format(
      "SELECT {} FROM store_items WHERE project = 'default'{} ORDER BY updated_at DESC, key, namespace_key",
      item_columns, any_prefix ? "" : below);
}
std::string select_namespaces(bool any_prefix) {
  return fmt::format(
      "SELECT namespace FROM store_items WHERE project = 'default'{} GROUP BY namespace_key, namespace",
      any_prefix ? "" : below);
}

Params bounds(const std::vector<std::string>& prefix) {
  const auto key = namespace_key(prefix);
  return Params(key, key + namespace_separator, key + static_cast<char>(namespace_separator + 1));
}

// Where nothing needs to be looked at but the order.
Task<Outcome<std::vector<Item>>> page_in_sql(Connection& db, ItemSearch search) {
  auto params = bounds(search.prefix);
  params.add(not_negative(search.limit)).add(not_negative(search.offset));
  Pipeline pipeline;
  pipeline.add_prepared(select_items(search.prefix.empty()) + " LIMIT $4 OFFSET $5", std::move(params));
  auto results = co_await db.run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  std::vector<Item> out;
  while (results->front().next()) out.push_back(read_item_row(results->front()));
  co_return out;
}

Task<Outcome<std::vector<Item>>> page_by_walk(Connection& db, ItemSearch search) {
  Snapshot snapshot(db);
  Walk walk(snapshot, "item_walk", select_items(search.prefix.empty()), bounds(search.prefix));
  std::vector<Item> out;
  std::int64_t place = 0;
  bool more = true;
  while (more && std::ssize(out) < search.limit) {
    auto rows = co_await walk.next();
    if (!rows) co_return fail_with(std::move(rows.error()));
    more = rows->size() > 0;
    while (std::ssize(out) < search.limit && rows->next()) {
      auto item = read_item_row(*rows);
      if (item_matches(item.value, search.filter) && place++ >= search.offset) out.push_back(std::move(item));
    }
  }
  if (auto ended = co_await snapshot.end(); !ended) co_return fail_with(std::move(ended.error()));
  co_return out;
}

// The labels that a match begins with, whatever they are.
std::vector<std::string> known_labels(const std::vector<std::string>& prefix) {
  return {prefix.begin(), std::ranges::find(prefix, "*")};
}

}  // namespace

Task<Outcome<std::optional<Item>>> read_item(Connection& db, std::vector<std::string> ns, std::string key) {
  auto rows = co_await db.query(select_one, namespace_key(ns), key);
  if (!rows) co_return fail_with(std::move(rows.error()));
  if (!rows->next()) co_return std::nullopt;
  co_return read_item_row(*rows);
}

Task<Outcome<std::vector<Item>>> read_items(Connection& db, ItemSearch search) {
  if (asks_nothing(search.filter)) return page_in_sql(db, std::move(search));
  return page_by_walk(db, std::move(search));
}

Task<Outcome<std::vector<std::vector<std::string>>>> read_namespaces(Connection& db, NamespaceSearch search) {
  const auto labels = known_labels(search.prefix);
  Snapshot snapshot(db);
  Walk walk(snapshot, "namespace_walk", select_namespaces(labels.empty()), bounds(labels));
  NamespaceMatches matches(search);
  for (bool more = true; more;) {
    auto rows = co_await walk.next();
    if (!rows) co_return fail_with(std::move(rows.error()));
    more = rows->size() > 0;
    while (rows->next()) matches.add(list_from(rows->view()));
  }
  if (auto ended = co_await snapshot.end(); !ended) co_return fail_with(std::move(ended.error()));
  co_return matches.page();
}

}  // namespace dg::store::postgres
