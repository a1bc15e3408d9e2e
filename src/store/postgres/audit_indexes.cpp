// What the database lacks beneath its rows.
#include <fmt/format.h>

#include <algorithm>

#include "store/postgres/audit_scans.hpp"
#include "store/postgres/schema.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view select_damaged =
    "SELECT w.name, i.indexrelid IS NULL FROM unnest($1) AS w (name) "
    "LEFT JOIN pg_index AS i ON i.indexrelid = to_regclass(quote_ident(w.name)) "
    "WHERE i.indexrelid IS NULL OR NOT i.indisvalid ORDER BY 1 LIMIT $2";

}  // namespace

std::vector<std::string> damaged_indexes(BlockingSession& session, std::size_t limit) {
  auto names = made_by_schema("INDEX");
  for (const auto& table : made_by_schema("TABLE")) names.push_back(table + "_pkey");
  auto rows = session.run(select_damaged, Params(names, std::max<std::size_t>(limit, 1)));
  std::vector<std::string> out;
  while (rows.next()) {
    const auto name = rows.text();
    out.push_back(rows.flag()
                      ? fmt::format("the index {} is missing; make it as the files of deploy/sql do", name)
                      : fmt::format("the index {} is not valid: REINDEX INDEX {}", name, name));
  }
  return out;
}

}  // namespace dg::store::postgres
