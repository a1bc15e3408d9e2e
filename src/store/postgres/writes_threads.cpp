// The rows of threads, which follow from the others that a transaction writes.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "store/postgres/writes.hpp"

namespace dg::store::postgres {
namespace {

// A thread's status follows from its runs, its lease and its newest root checkpoint: `w` names it, `last` is
// its newest run. It asks with LIMIT rather than EXISTS, which may be planned as one reading of all active
// runs.
constexpr std::string_view status =
    "CASE WHEN (SELECT true FROM runs WHERE thread_id = w.id AND status IN ('queued', 'in_progress', "
    "'requires_action') AND status <> 'requires_action' LIMIT 1) THEN 'busy' "
    "WHEN (SELECT true FROM leases WHERE thread_id = w.id AND kind = 'operation' LIMIT 1) THEN 'busy' "
    "WHEN last.failed THEN 'error' "
    "WHEN (SELECT has_next FROM checkpoints WHERE thread_id = w.id AND checkpoint_ns = '' "
    "ORDER BY checkpoint_id DESC LIMIT 1) = 1 THEN 'interrupted' ELSE 'idle' END";
constexpr std::string_view join_last =
    "LEFT JOIN LATERAL (SELECT status IN ('failed', 'timed_out') AS failed, error, error_message FROM runs "
    "WHERE "
    "thread_id = w.id ORDER BY id DESC LIMIT 1) AS last ON true";
constexpr std::string_view columns =
    "id, metadata, search, config, created_at, updated_at, state_updated_at, temporary, owner";
// Of threads that have nothing yet that a status follows from.
const std::string insert_idle_threads = insert_rows("threads", columns);
const std::string insert_threads = fmt::format(
    "INSERT INTO threads ({0}, status, error, error_message) "
    "SELECT w.*, {1}, CASE WHEN last.failed THEN last.error END, "
    "CASE WHEN last.failed THEN last.error_message END FROM {3} AS w {2}",
    columns, status, join_last, rows_of(columns));
const std::string upsert_threads =
    insert_threads +
    " ON CONFLICT (id) DO UPDATE SET metadata = excluded.metadata, search = excluded.search, "
    "config = excluded.config, updated_at = greatest(threads.updated_at, excluded.updated_at), "
    "state_updated_at = greatest(threads.state_updated_at, excluded.state_updated_at), status = "
    "excluded.status, "
    "error = excluded.error, error_message = excluded.error_message";
const std::string refresh_threads = fmt::format(
    "UPDATE threads AS t SET status = n.status, error = n.error, error_message = n.error_message, "
    "updated_at = greatest(t.updated_at, n.changed_at), "
    "state_updated_at = greatest(t.state_updated_at, n.state_at) "
    "FROM (SELECT w.*, {} AS status, CASE WHEN last.failed THEN last.error END AS error, "
    "CASE WHEN last.failed THEN last.error_message END AS error_message FROM {} AS w {}) AS n WHERE t.id = "
    "n.id",
    status, rows_of("id, changed_at, state_at"), join_last);

// A thread's row, and what else its commits did to it.
struct ThreadToPut {
  domain::Thread thread;
  Touched touched;

  WallTime updated_at() const {
    return std::max(thread.updated_at, touched.changed_at.value_or(thread.updated_at));
  }
  WallTime state_updated_at() const {
    return std::max(thread.created_at, touched.state_at.value_or(thread.created_at));
  }
};

Params params_of(std::span<const ThreadToPut> rows) {
  using T = domain::Thread;
  const auto column = [](auto member) {
    return [member](const ThreadToPut& row) -> const auto& { return row.thread.*member; };
  };
  return Params()
      .add_column(rows, column(&T::id))
      .add_column(rows, column(&T::metadata))
      .add_column(rows, [](const ThreadToPut& row) { return searchable(row.thread.metadata); })
      .add_column(rows, column(&T::config))
      .add_column(rows, column(&T::created_at))
      .add_column(rows, &ThreadToPut::updated_at)
      .add_column(rows, &ThreadToPut::state_updated_at)
      .add_column(rows, column(&T::temporary))
      .add_column(rows, column(&T::owner));
}

}  // namespace

void Writes::take_threads(Pipeline& pipeline, const Facts& facts) {
  if (!threads.empty()) {
    std::vector<ThreadToPut> rows;
    for (auto& [id, thread] : std::exchange(threads, {})) {
      const auto known = touched.extract(id);
      rows.push_back({std::move(thread), known.empty() ? Touched{} : known.mapped()});
    }
    const auto made = std::ranges::partition(
        rows, [&](const auto& row) { return !facts.is_made(domain::AggregateType::thread, row.thread.id); });
    const auto idle = std::ranges::partition(made, [](const auto& row) { return row.touched.status; });
    const auto add = [&](std::string_view sql, std::span<const ThreadToPut> some) {
      if (!some.empty()) pipeline.add_prepared(sql, params_of(some));
    };
    add(upsert_threads, {rows.begin(), made.begin()});
    add(insert_threads, {made.begin(), idle.begin()});
    add(insert_idle_threads, idle);
  }
  if (touched.empty()) return;
  using Entry = std::pair<const std::string, Touched>;
  const auto rows = std::exchange(touched, {});
  pipeline.add_prepared(refresh_threads,
                        Params()
                            .add_column(rows, &Entry::first)
                            .add_column(rows, [](const Entry& e) { return e.second.changed_at; })
                            .add_column(rows, [](const Entry& e) { return e.second.state_at; }));
}

}  // namespace dg::store::postgres
