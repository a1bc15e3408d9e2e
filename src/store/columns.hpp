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
domain::Assistant read_assistant_row(Row& row) {
  domain::Assistant out;
  out.id = row.text();
  out.content = read_assistant_content(row);
  out.number = row.integer();
  out.newest_number = row.integer();
  out.created_at = row.time();
  out.updated_at = row.time();
  out.owner = row.optional_text();
  out.version = row.integer();
  return out;
}

template <class Row>
AssistantVersion read_assistant_version_row(Row& row) {
  AssistantVersion out;
  out.assistant_id = row.text();
  out.number = row.integer();
  out.created_at = row.time();
  out.content = read_assistant_content(row);
  return out;
}

// `request_from` gives the request, of the text in the run's column and its id: where the column is empty it
// is kept elsewhere.
template <class Row, class RequestFrom>
domain::Run read_run_row(Row& row, RequestFrom request_from) {
  domain::Run run;
  run.id = row.text();
  run.thread_id = row.text();
  run.assistant_id = row.text();
  run.graph_id = row.text();
  run.state = domain::run_state_from(row.view()).value_or(domain::RunState::failed);
  run.request = request_from(row.view(), run.id);
  run.metadata = row.text();
  run.created_at = row.time();
  run.updated_at = row.time();
  run.not_before = row.time();
  run.epoch = row.integer();
  run.attempt = row.integer();
  run.session_id = row.text();
  run.revision = row.text();
  run.cancel = cancel_from(row.view());
  run.has_checkpoint = row.flag();
  auto failure = row.optional_text();
  auto message = row.optional_text();
  if (failure) run.error = domain::RunError{std::move(*failure), std::move(message).value_or("")};
  run.resumed_by = row.text();
  run.owner = row.optional_text();
  run.version = row.integer();
  return run;
}
template <class Row>
domain::Run read_run_row(Row& row) {
  return read_run_row(
      row, [](std::string_view text, const std::string&) { return domain::RunRequest::from_json(text); });
}

template <class Row>
domain::EventRecord read_event_row(Row& row) {
  domain::EventRecord event;
  event.id = row.text();
  event.aggregate = aggregate_from(row.view());
  event.aggregate_id = row.text();
  event.version = row.integer();
  event.type = row.text();
  event.payload = row.text();
  event.metadata = row.text();
  event.thread_id = row.text();
  event.seq = row.integer();
  event.at = row.time();
  return event;
}

template <class Row>
Item read_item_row(Row& row) {
  Item item;
  item.ns = list_from(row.view());
  item.key = row.text();
  item.value = row.text();
  item.created_at = row.time();
  item.updated_at = row.time();
  return item;
}

template <class Row>
Session read_session_row(Row& row) {
  Session session;
  session.id = row.text();
  session.secret_hash = row.text();
  session.worker = row.text();
  session.revision = row.text();
  session.slots = row.integer();
  session.supervised = row.flag();
  session.graphs = row.text();
  session.connected_at = row.time();
  session.draining = row.flag();
  session.instance = row.text();
  session.connection = row.integer();
  session.ended = row.text();
  return session;
}

template <class Row>
GraphRow read_graph_row(Row& row) {
  GraphRow graph;
  graph.graph_id = row.text();
  graph.description = row.text();
  graph.error = row.text();
  graph.updated_at = row.time();
  graph.declared = row.flag();
  return graph;
}

// Times that are not set are read as the beginning of time.
template <class Row>
ApiKey read_api_key_row(Row& row) {
  const auto optional_time = [&row]() -> std::optional<WallTime> {
    const auto time = row.time();
    return time == WallTime{} ? std::nullopt : std::optional(time);
  };
  ApiKey key;
  key.id = row.text();
  key.secret_hash = row.text();
  key.user = row.text();
  key.role = row.text();
  key.name = row.text();
  key.created_at = row.time();
  key.expires_at = optional_time();
  key.last_used_at = optional_time();
  key.revoked_at = optional_time();
  return key;
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
