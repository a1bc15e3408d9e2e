// What a transaction writes of events, runs, leases and whatever else is no checkpoint and no thread.
#include "store/postgres/writes.hpp"

#include <algorithm>

#include "store/columns.hpp"
#include "store/postgres/taken.hpp"

namespace dg::store::postgres {
namespace {

const std::string insert_events = insert_rows(
    "events",
    "event_id, aggregate_type, aggregate_id, event_version, event_type, payload, metadata, thread_id, seq, "
    "occurred_at");
const std::string insert_run_events = insert_rows(
    "run_events",
    "event_id, run_id, event_version, event_type, payload, metadata, thread_id, seq, occurred_at");
const std::string insert_outbox =
    insert_rows("outbox", "shard, aggregate_type, aggregate_id, first_version, last_version");
const std::string update_heads =
    "UPDATE event_streams AS s SET version = w.version, seq = w.seq, turn = w.turn, erased = w.erased FROM " +
    rows_of("id, type, version, seq, turn, erased") +
    " AS w WHERE s.aggregate_id = w.id AND s.aggregate_type = w.type";
const std::string insert_heads =
    insert_rows("event_streams", "aggregate_id, aggregate_type, version, seq, turn, erased");
// Made in order to be locked, and nothing came of it.
constexpr std::string_view delete_empty_heads =
    "DELETE FROM event_streams AS s USING unnest($1, $2) AS w (id, type) WHERE s.aggregate_id = w.id AND "
    "s.aggregate_type = w.type AND s.version = 0 AND s.seq = 0 AND s.turn = 0 AND NOT s.erased";
constexpr std::string_view run_columns =
    "id, thread_id, assistant_id, graph_id, status, kwargs, metadata, created_at, updated_at, not_before, "
    "lease_epoch, attempt, worker_id, revision, cancel, has_checkpoint, error, error_message, resumed_by, "
    "owner, resumable, has_frames, version";
const std::string insert_runs = insert_rows("runs", run_columns);
// A run that has a checkpoint keeps that through writers who did not know of it. Its request is that of its
// creation, and may be the next release's, with members that this one would not write back.
const std::string upsert_runs = insert_rows(
    "runs", run_columns,
    "ON CONFLICT (id) DO UPDATE SET thread_id = excluded.thread_id, assistant_id = excluded.assistant_id, "
    "graph_id = excluded.graph_id, status = excluded.status, "
    "metadata = excluded.metadata, updated_at = excluded.updated_at, not_before = excluded.not_before, "
    "lease_epoch = excluded.lease_epoch, attempt = excluded.attempt, worker_id = excluded.worker_id, "
    "revision = excluded.revision, cancel = excluded.cancel, "
    "has_checkpoint = runs.has_checkpoint OR excluded.has_checkpoint, error = excluded.error, "
    "error_message = excluded.error_message, resumed_by = excluded.resumed_by, resumable = "
    "excluded.resumable, has_frames = runs.has_frames OR excluded.has_frames, version = excluded.version");
constexpr std::string_view advance_runs =
    "UPDATE runs SET version = w.version FROM unnest($1, $2) AS w (id, version) WHERE runs.id = w.id";
constexpr std::string_view mark_runs =
    "UPDATE runs SET has_checkpoint = true WHERE id = ANY ($1) AND NOT has_checkpoint";
constexpr std::string_view frame_runs =
    "UPDATE runs SET has_frames = true WHERE id = ANY ($1) AND NOT has_frames";
constexpr std::string_view delete_leases = "DELETE FROM leases WHERE owner = ANY ($1)";
const std::string upsert_leases = insert_rows(
    "leases", "owner, kind, thread_id, lease_epoch, worker_id, applied_n",
    "ON CONFLICT (owner) DO UPDATE SET kind = excluded.kind, thread_id = excluded.thread_id, "
    "lease_epoch = excluded.lease_epoch, worker_id = excluded.worker_id, applied_n = excluded.applied_n");
const std::string upsert_assistants =
    insert_rows("assistants",
                "id, graph_id, name, description, config, context, metadata, search, version, "
                "newest_version, created_at, "
                "updated_at, owner",
                "ON CONFLICT (id) DO UPDATE SET graph_id = excluded.graph_id, name = excluded.name, "
                "description = excluded.description, config = excluded.config, context = excluded.context, "
                "metadata = excluded.metadata, search = excluded.search, version = excluded.version, "
                "newest_version = excluded.newest_version, updated_at = excluded.updated_at");
const std::string upsert_assistant_versions = insert_rows(
    "assistant_versions",
    "assistant_id, version, graph_id, name, description, config, context, metadata, created_at",
    "ON CONFLICT (assistant_id, version) DO UPDATE SET graph_id = excluded.graph_id, name = excluded.name, "
    "description = excluded.description, config = excluded.config, context = excluded.context, "
    "metadata = excluded.metadata, created_at = excluded.created_at");
const std::string insert_segments =
    insert_rows("run_segments", "run_id, first_no, count, first_seq, pending, data, cuts");
constexpr std::string_view delete_segments =
    "DELETE FROM run_segments AS s USING unnest($1, $2) AS w (run_id, first_no) WHERE s.run_id = w.run_id "
    "AND "
    "s.first_no = w.first_no";
constexpr std::string_view delete_items =
    "DELETE FROM store_items AS s USING unnest($1, $2) AS w (ns, key) WHERE s.project = 'default' AND "
    "s.namespace_key = w.ns AND s.key = w.key";
const std::string upsert_items = insert_rows(
    "store_items", "namespace_key, key, namespace, value, created_at, updated_at",
    "ON CONFLICT (project, namespace_key, key) DO UPDATE SET value = excluded.value, "
    "updated_at = greatest(excluded.updated_at, store_items.updated_at + interval '1 microsecond')");
constexpr std::string_view delete_workers = "DELETE FROM workers WHERE id = ANY ($1) AND ended <> ''";
const std::string upsert_workers = insert_rows(
    "workers",
    "id, secret_hash, worker, revision, slots, supervised, graphs, connected_at, draining, instance_id, "
    "connection, ended",
    "ON CONFLICT (id) DO UPDATE SET secret_hash = excluded.secret_hash, worker = excluded.worker, "
    "revision = excluded.revision, slots = excluded.slots, supervised = excluded.supervised, "
    "graphs = excluded.graphs, connected_at = excluded.connected_at, draining = excluded.draining, "
    "instance_id = excluded.instance_id, connection = excluded.connection, ended = excluded.ended");
constexpr std::string_view disconnect_workers = "UPDATE workers SET instance_id = '' WHERE id = ANY ($1)";
constexpr std::string_view end_workers =
    "UPDATE workers SET ended = w.reason FROM unnest($1, $2) AS w (id, reason) WHERE workers.id = w.id";
const std::string upsert_graphs = insert_rows(
    "graphs", "graph_id, description, error, updated_at, declared",
    "ON CONFLICT (graph_id) DO UPDATE SET description = excluded.description, error = excluded.error, "
    "updated_at = excluded.updated_at, declared = excluded.declared");
Params params_of(const std::vector<domain::Run>& runs, const Facts& facts,
                 const std::set<std::string>& framed) {
  using R = domain::Run;
  const auto failure = [](std::string domain::RunError::* member) {
    return [member](const R& r) {
      return r.error ? std::optional((*r.error).*member) : std::optional<std::string>();
    };
  };
  const auto version = [&](const R& r) {
    const auto head = facts.heads().find({r.id, domain::AggregateType::run});
    return head == facts.heads().end() ? std::int64_t{0} : head->second.version;
  };
  return Params()
      .add_column(runs, &R::id)
      .add_column(runs, &R::thread_id)
      .add_column(runs, &R::assistant_id)
      .add_column(runs, &R::graph_id)
      .add_column(runs, [](const R& r) { return std::string(to_string(r.state)); })
      .add_column(runs, [](const R& r) { return r.request.to_json(); })
      .add_column(runs, &R::metadata)
      .add_column(runs, &R::created_at)
      .add_column(runs, &R::updated_at)
      .add_column(runs, &R::not_before)
      .add_column(runs, &R::epoch)
      .add_column(runs, &R::attempt)
      .add_column(runs, &R::session_id)
      .add_column(runs, &R::revision)
      .add_column(runs, [](const R& r) { return std::string(to_string(r.cancel)); })
      .add_column(runs, &R::has_checkpoint)
      .add_column(runs, failure(&domain::RunError::error))
      .add_column(runs, failure(&domain::RunError::message))
      .add_column(runs, &R::resumed_by)
      .add_column(runs, &R::owner)
      .add_column(runs, [](const R& r) { return r.request.stream_resumable; })
      .add_column(runs, [&](const R& r) { return framed.contains(r.id); })
      .add_column(runs, version);
}

}  // namespace

void Writes::take_into(Pipeline& pipeline, Facts& facts) {
  take_heads(pipeline, facts);
  take_events(pipeline);
  take_leases(pipeline, facts);
  take_runs(pipeline, facts);
  take_assistants(pipeline);
  take_checkpoints(pipeline);
  take_series(pipeline);
  take_items(pipeline);
  take_workers(pipeline);
  keys.take_into(pipeline);
  take_threads(pipeline, facts);
}

namespace {

using HeadEntry = std::pair<HeadKey, Facts::Head>;

std::vector<HeadEntry> heads_where(const Facts& facts, bool (*wanted)(const Facts::Head&)) {
  std::vector<HeadEntry> out;
  for (const auto& entry : facts.heads())
    if (wanted(entry.second)) out.emplace_back(entry);
  return out;
}

Params keys_of(const std::vector<HeadEntry>& heads) {
  return Params()
      .add_column(heads, [](const HeadEntry& e) { return e.first.first; })
      .add_column(heads, [](const HeadEntry& e) { return std::string(to_string(e.first.second)); });
}

}  // namespace

// An insertion meets a row where another instance created the same at once.
void Writes::take_heads(Pipeline& pipeline, Facts& facts) {
  const auto add = [&](std::string_view sql, const std::vector<HeadEntry>& heads) {
    if (heads.empty()) return;
    pipeline.add_prepared(sql, keys_of(heads)
                                   .add_column(heads, [](const HeadEntry& e) { return e.second.version; })
                                   .add_column(heads, [](const HeadEntry& e) { return e.second.seq; })
                                   .add_column(heads, [](const HeadEntry& e) { return e.second.turn; })
                                   .add_column(heads, [](const HeadEntry& e) { return e.second.erased; }));
  };
  add(insert_heads, heads_where(facts, [](const Facts::Head& head) { return head.changed && !head.stored; }));
  add(update_heads, heads_where(facts, [](const Facts::Head& head) { return head.changed && head.stored; }));
  facts.settle_heads();
}

void drop_empty_heads(Pipeline& pipeline, const Facts& facts) {
  const auto empty =
      heads_where(facts, [](const Facts::Head& head) { return head.is_empty() && head.stored; });
  if (!empty.empty()) pipeline.add_prepared(delete_empty_heads, keys_of(empty));
}

void Writes::take_outbox(Pipeline& pipeline) {
  std::map<HeadKey, OutboxRow> rows;
  for (const auto* const table : {&events, &run_events}) {
    for (const auto& event : *table) {
      const HeadKey key{event.aggregate_id, aggregate_from(event.aggregate_type)};
      const auto row = rows.try_emplace(key, OutboxRow{outbox_shard(event.aggregate_id), event.aggregate_type,
                                                       event.aggregate_id, event.version, event.version});
      row.first->second.last_version = event.version;
    }
  }
  if (!rows.empty()) pipeline.add_prepared(insert_outbox, columns_of(values_of(rows)));
}

void Writes::take_events(Pipeline& pipeline) {
  take_outbox(pipeline);
  if (!events.empty()) pipeline.add_prepared(insert_events, columns_of(taken(events)));
  if (run_events.empty()) return;
  using R = EventRow;
  const auto rows = taken(run_events);
  pipeline.add_prepared(insert_run_events, Params()
                                               .add_column(rows, &R::event_id)
                                               .add_column(rows, &R::aggregate_id)
                                               .add_column(rows, &R::version)
                                               .add_column(rows, &R::type)
                                               .add_column(rows, &R::payload)
                                               .add_column(rows, &R::metadata)
                                               .add_column(rows, &R::thread_id)
                                               .add_column(rows, &R::seq)
                                               .add_column(rows, &R::at));
}

void Writes::take_runs(Pipeline& pipeline, const Facts& facts) {
  for (const auto& [id, run] : runs) advanced_runs.erase(id);
  if (!runs.empty()) {
    // A run that ends makes room for the one that begins on its thread.
    auto rows = values_of(runs);
    std::ranges::partition(rows, [](const auto& run) { return run.state != domain::RunState::in_progress; });
    std::vector<domain::Run> known, made;
    for (auto& run : rows) {
      const bool is_made = facts.is_made(domain::AggregateType::run, run.id);
      (is_made ? made : known).push_back(std::move(run));
    }
    for (const auto& [sql, some] : {std::pair(&upsert_runs, &known), std::pair(&insert_runs, &made)}) {
      if (!some->empty()) pipeline.add_prepared(*sql, params_of(*some, facts, framed_runs));
      for (const auto& run : *some) framed_runs.erase(run.id);
    }
  }
  if (!advanced_runs.empty()) {
    const auto ids = taken(advanced_runs);
    pipeline.add_prepared(advance_runs, Params().add(ids).add_column(ids, [&](const std::string& id) {
      return facts.heads().at({id, domain::AggregateType::run}).version;
    }));
  }
  if (!marked_runs.empty()) pipeline.add(mark_runs, taken(marked_runs));
  if (!erased_segments.empty()) {
    const auto merged = taken(erased_segments);
    pipeline.add_prepared(
        delete_segments,
        Params().add_column(merged, &SegmentKey::run_id).add_column(merged, &SegmentKey::first_no));
  }
  if (!segments.empty()) pipeline.add_prepared(insert_segments, columns_of(taken(segments)));
  if (!framed_runs.empty()) pipeline.add(frame_runs, taken(framed_runs));
}

void Writes::take_leases(Pipeline& pipeline, Facts& facts) {
  std::vector<std::string> dropped;
  std::vector<Lease> put;
  for (auto& [owner, lease] : facts.take_changed_leases()) {
    dropped.push_back(owner);
    if (lease) put.push_back(std::move(*lease));
  }
  std::erase_if(dropped, [&](const auto& owner) { return facts.lease(owner) != nullptr; });
  if (!dropped.empty()) pipeline.add(delete_leases, dropped);
  if (put.empty()) return;
  pipeline.add_prepared(upsert_leases,
                        Params()
                            .add_column(put, &Lease::owner)
                            .add_column(put, [](const Lease& l) { return std::string(to_text(l.kind)); })
                            .add_column(put, &Lease::thread_id)
                            .add_column(put, &Lease::epoch)
                            .add_column(put, &Lease::session_id)
                            .add_column(put, &Lease::applied_n));
}

void Writes::take_assistants(Pipeline& pipeline) {
  using A = domain::Assistant;
  const auto content = [](auto member) {
    return [member](const auto& row) -> const auto& { return row.content.*member; };
  };
  using C = domain::AssistantContent;
  if (!assistants.empty()) {
    const auto rows = values_of(assistants);
    pipeline.add_prepared(upsert_assistants,
                          Params()
                              .add_column(rows, &A::id)
                              .add_column(rows, content(&C::graph_id))
                              .add_column(rows, content(&C::name))
                              .add_column(rows, content(&C::description))
                              .add_column(rows, content(&C::config))
                              .add_column(rows, content(&C::context))
                              .add_column(rows, content(&C::metadata))
                              .add_column(rows, [](const A& a) { return searchable(a.content.metadata); })
                              .add_column(rows, &A::number)
                              .add_column(rows, &A::newest_number)
                              .add_column(rows, &A::created_at)
                              .add_column(rows, &A::updated_at)
                              .add_column(rows, &A::owner));
  }
  if (assistant_versions.empty()) return;
  const auto rows = values_of(assistant_versions);
  pipeline.add_prepared(upsert_assistant_versions, Params()
                                                       .add_column(rows, &AssistantVersion::assistant_id)
                                                       .add_column(rows, &AssistantVersion::number)
                                                       .add_column(rows, content(&C::graph_id))
                                                       .add_column(rows, content(&C::name))
                                                       .add_column(rows, content(&C::description))
                                                       .add_column(rows, content(&C::config))
                                                       .add_column(rows, content(&C::context))
                                                       .add_column(rows, content(&C::metadata))
                                                       .add_column(rows, &AssistantVersion::created_at));
}

void Writes::take_items(Pipeline& pipeline) {
  using Key = std::pair<std::string, std::string>;
  if (!erased_items.empty()) {
    const auto rows = std::exchange(erased_items, {});
    pipeline.add_prepared(delete_items,
                          Params().add_column(rows, &Key::first).add_column(rows, &Key::second));
  }
  if (items.empty()) return;
  const auto rows = values_of(items);
  pipeline.add_prepared(upsert_items, Params()
                                          .add_column(rows, [](const Item& i) { return namespace_key(i.ns); })
                                          .add_column(rows, &Item::key)
                                          .add_column(rows, [](const Item& i) { return json_list(i.ns); })
                                          .add_column(rows, &Item::value)
                                          .add_column(rows, &Item::created_at)
                                          .add_column(rows, &Item::updated_at));
}

void Writes::take_workers(Pipeline& pipeline) {
  std::vector<std::string> erased;
  std::vector<Session> put;
  for (auto& [id, session] : std::exchange(sessions, {})) {
    if (session) {
      put.push_back(std::move(*session));
    } else {
      erased.push_back(id);
    }
  }
  if (!put.empty())
    pipeline.add_prepared(upsert_workers, Params()
                                              .add_column(put, &Session::id)
                                              .add_column(put, &Session::secret_hash)
                                              .add_column(put, &Session::worker)
                                              .add_column(put, &Session::revision)
                                              .add_column(put, &Session::slots)
                                              .add_column(put, &Session::supervised)
                                              .add_column(put, &Session::graphs)
                                              .add_column(put, &Session::connected_at)
                                              .add_column(put, &Session::draining)
                                              .add_column(put, &Session::instance)
                                              .add_column(put, &Session::connection)
                                              .add_column(put, &Session::ended));
  if (!disconnected_sessions.empty()) pipeline.add(disconnect_workers, taken(disconnected_sessions));
  if (!ended_sessions.empty()) {
    using Ended = std::pair<const std::string, std::string>;
    const auto why = std::exchange(ended_sessions, {});
    pipeline.add_prepared(end_workers,
                          Params().add_column(why, &Ended::first).add_column(why, &Ended::second));
  }
  if (!erased.empty()) pipeline.add(delete_workers, erased);
  if (graphs.empty()) return;
  const auto rows = values_of(graphs);
  pipeline.add_prepared(upsert_graphs, Params()
                                           .add_column(rows, &GraphRow::graph_id)
                                           .add_column(rows, &GraphRow::description)
                                           .add_column(rows, &GraphRow::error)
                                           .add_column(rows, &GraphRow::updated_at)
                                           .add_column(rows, &GraphRow::declared));
}

}  // namespace dg::store::postgres
