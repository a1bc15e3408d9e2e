// Changes that remove what others wrote.
#include <map>
#include <set>

#include "store/documents.hpp"
#include "store/frame_codec.hpp"
#include "store/postgres/batch.hpp"
#include "store/postgres/collect.hpp"
#include "store/postgres/undo.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view select_runs_of_thread = "SELECT id FROM runs WHERE thread_id = $1";
// In order; each has the thread as its parameter.
constexpr std::string_view delete_of_thread[] = {
    "DELETE FROM run_segments WHERE run_id IN (SELECT id FROM runs WHERE thread_id = $1)",
    "DELETE FROM runs WHERE thread_id = $1",
    "DELETE FROM threads WHERE id = $1",
};
constexpr std::string_view delete_checkpoints_of_thread[] = {
    "DELETE FROM checkpoints WHERE thread_id = $1",
    "DELETE FROM checkpoint_values WHERE thread_id = $1",
    "DELETE FROM checkpoint_writes WHERE thread_id = $1",
    "DELETE FROM checkpoint_tasks WHERE thread_id = $1",
    "DELETE FROM checkpoint_undo WHERE thread_id = $1",
};
constexpr std::string_view delete_of_checkpoints[] = {
    "DELETE FROM checkpoints AS c USING unnest($1, $2, $3) AS w (t, n, c) WHERE c.thread_id = w.t AND "
    "c.checkpoint_ns = w.n AND c.checkpoint_id = w.c",
    "DELETE FROM checkpoint_writes AS c USING unnest($1, $2, $3) AS w (t, n, c) WHERE c.thread_id = w.t AND "
    "c.checkpoint_ns = w.n AND c.checkpoint_id = w.c",
    "DELETE FROM checkpoint_tasks AS c USING unnest($1, $2, $3) AS w (t, n, c) WHERE c.thread_id = w.t AND "
    "c.checkpoint_ns = w.n AND c.checkpoint_id = w.c",
    "DELETE FROM checkpoint_undo AS c USING unnest($1, $2, $3) AS w (t, n, c) WHERE c.thread_id = w.t AND "
    "c.checkpoint_ns = w.n AND c.checkpoint_id = w.c",
};
constexpr std::string_view select_older =
    "SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints AS c WHERE thread_id = $1 AND "
    "checkpoint_id < "
    "(SELECT max(checkpoint_id) FROM checkpoints AS n WHERE n.thread_id = c.thread_id AND "
    "n.checkpoint_ns = c.checkpoint_ns)";
constexpr std::string_view select_of_writer =
    "SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints WHERE run_id = $1 AND run_id <> ''";
constexpr std::string_view select_of_run =
    "SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints WHERE run_id = $1 AND run_id <> '' "
    "UNION SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints WHERE metadata_run_id = $1 AND "
    "metadata_run_id <> ''";
constexpr std::string_view select_versions =
    "SELECT channel_versions FROM checkpoints WHERE thread_id = $1 AND checkpoint_ns = $2";
constexpr std::string_view select_values =
    "SELECT channel, version FROM checkpoint_values WHERE thread_id = $1 AND checkpoint_ns = $2";
constexpr std::string_view delete_values =
    "DELETE FROM checkpoint_values AS v USING unnest($3, $4) AS w (channel, version) WHERE v.thread_id = $1 "
    "AND "
    "v.checkpoint_ns = $2 AND v.channel = w.channel AND v.version = w.version";
constexpr std::string_view delete_run = "DELETE FROM runs WHERE id = $1 RETURNING thread_id";
constexpr std::string_view select_loose =
    "SELECT DISTINCT s.thread_id, s.checkpoint_ns FROM unnest($1) AS w (id) JOIN checkpoint_series AS s ON "
    "s.id = w.id WHERE s.loose <> 0";
constexpr std::string_view select_cuts =
    "SELECT cuts FROM run_segments WHERE run_id = ANY ($1) AND length(cuts) > 0";
constexpr std::string_view delete_segments = "DELETE FROM run_segments WHERE run_id = ANY ($1)";
constexpr std::string_view unframe_runs =
    "UPDATE runs SET has_frames = false WHERE id = ANY ($1) AND has_frames";

using Namespaces = std::set<std::pair<std::string, std::string>>;

// Removes the values that no checkpoint of the namespace names any more.
Task<Outcome<void>> erase_unused_values(Connection& connection, std::string thread_id, std::string ns) {
  Pipeline reads;
  reads.add(select_versions, thread_id, ns);
  reads.add(select_values, thread_id, ns);
  auto rows = co_await connection.run(std::move(reads));
  if (!rows) co_return fail_with(std::move(rows.error()));
  std::set<std::pair<std::string, std::string>> used;
  for (auto& row = (*rows)[0]; row.next();)
    for (auto& entry : channel_versions(row.view())) used.insert(std::move(entry));
  std::vector<std::string> channels;
  std::vector<std::string> versions;
  for (auto& row = (*rows)[1]; row.next();) {
    std::pair<std::string, std::string> entry{row.text(), row.text()};
    if (used.contains(entry)) continue;
    channels.push_back(std::move(entry.first));
    versions.push_back(std::move(entry.second));
  }
  if (channels.empty()) co_return Outcome<void>{};
  Pipeline writes;
  writes.add(delete_values, thread_id, ns, channels, versions);
  co_return co_await connection.execute(std::move(writes));
}

// Removes the checkpoints that the statement finds for `id`, with what only they need; gives their threads.
Task<Outcome<std::set<std::string>>> erase_selected(Connection& connection, std::string_view select,
                                                    std::string id) {
  auto found = co_await connection.query(select, id);
  if (!found) co_return fail_with(std::move(found.error()));
  std::vector<CheckpointKey> keys;
  Namespaces namespaces;
  std::set<std::string> threads;
  while (found->next()) {
    keys.push_back({found->text(), found->text(), found->text()});
    namespaces.emplace(keys.back().thread_id, keys.back().ns);
    threads.insert(keys.back().thread_id);
  }
  if (keys.empty()) co_return threads;
  Pipeline pipeline;
  const auto places = Params()
                          .add_column(keys, &CheckpointKey::thread_id)
                          .add_column(keys, &CheckpointKey::ns)
                          .add_column(keys, &CheckpointKey::checkpoint_id);
  for (const auto statement : delete_of_checkpoints) pipeline.add_prepared(statement, places);
  if (auto erased = co_await connection.execute(std::move(pipeline)); !erased)
    co_return fail_with(std::move(erased.error()));
  for (const auto& [thread_id, ns] : namespaces) {
    if (auto erased = co_await erase_unused_values(connection, thread_id, ns); !erased)
      co_return fail_with(std::move(erased.error()));
    if (auto collected = co_await collect_series(connection, thread_id, ns); !collected)
      co_return fail_with(std::move(collected.error()));
  }
  co_return threads;
}

Task<Outcome<void>> erase_frames(Connection& connection, std::vector<std::string> run_ids) {
  auto segments = co_await connection.query(select_cuts, run_ids);
  if (!segments) co_return fail_with(std::move(segments.error()));
  std::set<std::int64_t> named;
  while (segments->next())
    for (const auto& [place, cuts] : decode_cuts(segments->view()))
      for (const auto& cut : cuts) named.insert(cut.ref.series);
  Pipeline pipeline;
  pipeline.add(delete_segments, run_ids);
  pipeline.add(unframe_runs, run_ids);
  const auto loose = pipeline.add(select_loose, std::vector<std::int64_t>(named.begin(), named.end()));
  auto results = co_await connection.run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  for (auto& row = (*results)[loose]; row.next();) {
    auto thread_id = row.text();
    if (auto collected = co_await collect_series(connection, std::move(thread_id), row.text()); !collected)
      co_return collected;
  }
  co_return Outcome<void>{};
}

}  // namespace

Task<Outcome<void>> Batch::erase(Context&, const EraseAssistant& change) {
  mark_erased(domain::AggregateType::assistant, change.id);
  Pipeline pipeline;
  pipeline.add("DELETE FROM assistants WHERE id = $1", change.id);
  pipeline.add("DELETE FROM assistant_versions WHERE assistant_id = $1", change.id);
  co_return co_await connection_.execute(std::move(pipeline));
}

Task<Outcome<void>> Batch::erase(Context&, const EraseThread& change) {
  auto runs = co_await connection_.query(select_runs_of_thread, change.id);
  if (!runs) co_return fail_with(std::move(runs.error()));
  while (runs->next()) mark_erased(domain::AggregateType::run, runs->text());
  mark_erased(domain::AggregateType::thread, change.id);
  facts_.drop_lease(facts_.holder(change.id));
  Pipeline pipeline;
  for (const auto statement : delete_of_thread) pipeline.add(statement, change.id);
  for (const auto statement : delete_checkpoints_of_thread) pipeline.add(statement, change.id);
  if (auto erased = co_await connection_.execute(std::move(pipeline)); !erased) co_return erased;
  co_return co_await erase_series(connection_, change.id);
}

Task<Outcome<void>> Batch::erase(Context& context, const EraseRun& change) {
  auto run = co_await connection_.query(delete_run, change.id);
  if (!run) co_return fail_with(std::move(run.error()));
  while (run->next()) context.refresh(run->text());
  if (const auto thread = facts_.drop_lease(change.id); !thread.empty()) context.refresh(thread);
  mark_erased(domain::AggregateType::run, change.id);
  if (auto erased = co_await erase_frames(connection_, {change.id}); !erased) co_return erased;
  auto undone = co_await undo_writes_of(connection_, change.id);
  if (!undone) co_return fail_with(std::move(undone.error()));
  for (const auto& thread : *undone) context.refresh(thread);
  auto threads = co_await erase_selected(connection_, select_of_writer, change.id);
  if (!threads) co_return fail_with(std::move(threads.error()));
  for (const auto& thread : *threads) context.refresh(thread);
  co_return Outcome<void>{};
}

Task<Outcome<void>> Batch::erase(Context& context, const EraseCheckpoints& change) {
  context.refresh(change.thread_id);
  if (change.keep_latest) {
    auto threads = co_await erase_selected(connection_, select_older, change.thread_id);
    if (!threads) co_return fail_with(std::move(threads.error()));
    co_return Outcome<void>{};
  }
  Pipeline pipeline;
  for (const auto statement : delete_checkpoints_of_thread) pipeline.add(statement, change.thread_id);
  if (auto erased = co_await connection_.execute(std::move(pipeline)); !erased) co_return erased;
  co_return co_await collect_series_of_thread(connection_, change.thread_id);
}

Task<Outcome<void>> Batch::erase(Context& context, const EraseCheckpointsOfRun& change) {
  auto threads = co_await erase_selected(connection_, select_of_run, change.run_id);
  if (!threads) co_return fail_with(std::move(threads.error()));
  for (const auto& thread : *threads) context.refresh(thread);
  co_return Outcome<void>{};
}

Task<Outcome<void>> Batch::erase(Context&, const EraseFrames& change) {
  co_return co_await erase_frames(connection_, change.run_ids);
}

}  // namespace dg::store::postgres
