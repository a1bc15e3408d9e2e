// Between the columns of rows and the structs of the port.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "store/documents.hpp"
#include "store/records.hpp"
#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

// The value that to_string gives this text for; the first one when there is none.
template <class E>
E enum_from(std::string_view text, std::initializer_list<E> values) {
  for (const E value : values)
    if (to_string(value) == text) return value;
  return *values.begin();
}

domain::AggregateType aggregate_from(std::string_view text);
domain::CancelAction cancel_from(std::string_view text);
std::string_view to_text(LeaseKind kind);

// A JSON list of strings, and back.
std::string json_list(const std::vector<std::string>& labels);
std::vector<std::string> list_from(std::string_view json);

// A namespace as one text that sorts and compares by whole labels: no label can hold the separator.
std::string namespace_key(const std::vector<std::string>& labels);
inline constexpr char namespace_separator = '\x1f';

// Each reads its columns from the query's current row, in the order of the constant beside it.
inline constexpr std::string_view assistant_content_columns =
    "graph_id, name, description, config, context, metadata";
domain::AssistantContent read_assistant_content(Query& row);
inline constexpr std::string_view lease_columns = "owner, kind, thread_id, epoch, session_id, applied_n";
Lease read_lease(Query& row);
inline constexpr std::string_view write_columns = "task_id, task_path, idx, channel, type, data";
StoredWrite read_write(Query& row);

}  // namespace dg::store::sqlite
