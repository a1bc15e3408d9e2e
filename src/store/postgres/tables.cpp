#include "store/postgres/tables.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dg::store::postgres {

// FNV-1a, whose lowest bits alone are used.
std::int64_t outbox_shard(std::string_view aggregate_id) {
  std::uint32_t hash = 2166136261;
  for (const char c : aggregate_id) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  return hash % 64;
}

std::string insert_rows(std::string_view table, std::string_view columns, std::string_view rest) {
  std::string parameters;
  const auto count = std::ranges::count(columns, ',') + 1;
  for (std::ptrdiff_t i = 1; i <= count; ++i) parameters += fmt::format("{}${}", i == 1 ? "" : ", ", i);
  return fmt::format("INSERT INTO {} ({}) SELECT * FROM unnest({}) {}", table, columns, parameters, rest);
}

Jsonb searchable(const std::string& document) {
  return {document.find("\\u0000") == std::string::npos ? document : "{}"};
}

}  // namespace dg::store::postgres
