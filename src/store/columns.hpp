// Between what adapters of the store keep in columns and the structs of the port.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "store/documents.hpp"
#include "store/records.hpp"

namespace dg::store {

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

// Each reads columns of a cursor's current row, in the order of the members that it fills in.
template <class Row>
domain::AssistantContent read_assistant_content(Row& row) {
  domain::AssistantContent content;
  content.graph_id = row.text();
  content.name = row.text();
  content.description = row.optional_text();
  content.config = row.text();
  content.context = row.text();
  content.metadata = row.text();
  return content;
}

template <class Row>
Lease read_lease(Row& row) {
  Lease lease;
  lease.owner = row.text();
  lease.kind = row.view() == to_text(LeaseKind::run) ? LeaseKind::run : LeaseKind::operation;
  lease.thread_id = row.text();
  lease.epoch = row.integer();
  lease.session_id = row.text();
  lease.applied_n = row.integer();
  return lease;
}

template <class Row>
StoredWrite read_write(Row& row) {
  StoredWrite stored;
  stored.task_id = row.text();
  stored.task_path = row.text();
  stored.write.idx = row.integer();
  stored.write.channel = row.text();
  stored.write.value.type = row.text();
  stored.write.value.data = row.text();
  return stored;
}

}  // namespace dg::store
