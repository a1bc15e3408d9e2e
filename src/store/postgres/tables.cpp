#include "store/postgres/tables.hpp"

#include <fmt/format.h>

#include <ranges>

namespace dg::store::postgres {

// FNV-1a, whose lowest bits alone are used.
std::int64_t outbox_shard(std::string_view aggregate_id) {
  std::uint32_t hash = 2166136261;
  for (const char c : aggregate_id) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  return hash % 64;
}

std::string rows_of(std::string_view columns) {
  std::string out;
  int parameter = 0;
  for (const auto column : std::views::split(columns, std::string_view(", ")))
    out += fmt::format("{}unnest(${}) AS {}", out.empty() ? "" : ", ", ++parameter, std::string_view(column));
  return fmt::format("(SELECT {})", out);
}

std::string insert_rows(std::string_view table, std::string_view columns, std::string_view rest) {
  return fmt::format("INSERT INTO {} ({}) {} {}", table, columns, rows_of(columns), rest);
}

Jsonb searchable(const std::string& document) {
  return {document.find("\\u0000") == std::string::npos ? document : "{}"};
}

}  // namespace dg::store::postgres
