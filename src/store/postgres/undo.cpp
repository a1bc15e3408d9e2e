#include "store/postgres/undo.hpp"

#include <fmt/format.h>

#include "store/pack/pack.hpp"
#include "store/postgres/batch.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view is_kept =
    "SELECT id FROM checkpoint_undo WHERE thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = $3 AND "
    "task_id = $4 AND run_id = $5";
constexpr std::string_view select_writes =
    "SELECT checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, blob FROM "
    "checkpoint_writes WHERE "
    "thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = $3 AND task_id = $4 ORDER BY idx";
constexpr std::string_view select_patch =
    "SELECT checkpoint_ns, checkpoint_id, task_id, patch FROM checkpoint_tasks WHERE thread_id = $1 AND "
    "checkpoint_ns = $2 AND checkpoint_id = $3 AND task_id = $4";
constexpr std::string_view insert_undo =
    "INSERT INTO checkpoint_undo (thread_id, checkpoint_ns, checkpoint_id, task_id, run_id, before) VALUES "
    "($1, $2, $3, $4, $5, $6)";
constexpr std::string_view select_undo =
    "SELECT u.id, u.thread_id, u.checkpoint_ns, u.checkpoint_id, u.task_id, u.before, "
    "(SELECT min(l.id) FROM checkpoint_undo AS l WHERE l.thread_id = u.thread_id AND "
    "l.checkpoint_ns = u.checkpoint_ns AND l.checkpoint_id = u.checkpoint_id AND l.task_id = u.task_id AND "
    "l.id > u.id) FROM checkpoint_undo AS u WHERE u.run_id = $1 ORDER BY u.id";
constexpr std::string_view set_before = "UPDATE checkpoint_undo SET before = $2 WHERE id = $1";
constexpr std::string_view delete_undo = "DELETE FROM checkpoint_undo WHERE run_id = $1";
constexpr std::string_view delete_of_task[] = {
    "DELETE FROM checkpoint_writes WHERE thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = $3 AND "
    "task_id = $4",
    "DELETE FROM checkpoint_tasks WHERE thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = $3 AND "
    "task_id = $4",
};
const std::string insert_writes =
    insert_rows("checkpoint_writes",
                "thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, blob");
const std::string insert_tasks =
    insert_rows("checkpoint_tasks", "thread_id, checkpoint_ns, checkpoint_id, task_id, patch");

void take_column(Rows& from, std::string& out) {
  out = from.text();
}
void take_column(Rows& from, pack::Bytes& out) {
  out.bytes = from.text();
}
void take_column(Rows& from, std::int64_t& out) {
  out = from.integer();
}
template <class Row>
void take_rows(Rows& from, std::vector<Row>& out) {
  while (from.next()) {
    auto& row = out.emplace_back();
    std::apply([&](auto... member) { (take_column(from, row.*member), ...); }, Row::columns());
  }
}

template <class Row>
std::vector<OfThread<Row>> of_thread(const std::string& thread_id, std::vector<Row> rows) {
  std::vector<OfThread<Row>> out;
  for (auto& row : rows) out.push_back({thread_id, std::move(row)});
  return out;
}

Failure unreadable(const CheckpointKey& key, const Error& why) {
  return {false, "",
          fmt::format("what the run replaced in the checkpoint {} of the thread {} cannot be read: {}",
                      key.checkpoint_id, key.thread_id, why.message)};
}

// The task as it was, in place of what it is.
Outcome<void> restore(Pipeline& pipeline, const CheckpointKey& key, const std::string& task_id,
                      std::string_view before) {
  auto contents = pack::decode(before);
  if (!contents) return fail_with(unreadable(key, contents.error()));
  for (const auto statement : delete_of_task)
    pipeline.add(statement, key.thread_id, key.ns, key.checkpoint_id, task_id);
  if (!contents->writes.empty())
    pipeline.add_prepared(insert_writes, columns_of(of_thread(key.thread_id, std::move(contents->writes))));
  if (!contents->tasks.empty())
    pipeline.add_prepared(insert_tasks, columns_of(of_thread(key.thread_id, std::move(contents->tasks))));
  return {};
}

}  // namespace

Task<Outcome<void>> keep_task(Connection& connection, CheckpointKey key, std::string task_id,
                              std::string run_id) {
  const auto& [thread_id, ns, checkpoint_id] = key;
  Pipeline reads;
  reads.add(is_kept, thread_id, ns, checkpoint_id, task_id, run_id);
  reads.add(select_writes, thread_id, ns, checkpoint_id, task_id);
  reads.add(select_patch, thread_id, ns, checkpoint_id, task_id);
  auto rows = co_await connection.run(std::move(reads));
  if (!rows) co_return fail_with(std::move(rows.error()));
  if ((*rows)[0].size() > 0) co_return Outcome<void>{};
  pack::Contents before;
  take_rows((*rows)[1], before.writes);
  take_rows((*rows)[2], before.tasks);
  auto kept = co_await connection.query(insert_undo, thread_id, ns, checkpoint_id, task_id, run_id,
                                        pack::Bytes{pack::encode(before)});
  if (!kept) co_return fail_with(std::move(kept.error()));
  co_return Outcome<void>{};
}

Task<Outcome<std::set<std::string>>> undo_writes_of(Connection& connection, std::string run_id) {
  std::set<std::string> threads;
  auto kept = co_await connection.query(select_undo, run_id);
  if (!kept) co_return fail_with(std::move(kept.error()));
  if (kept->size() == 0) co_return threads;
  Pipeline pipeline;
  while (kept->next()) {
    kept->skip();
    const CheckpointKey key{kept->text(), kept->text(), kept->text()};
    const auto task_id = kept->text();
    const auto before = kept->view();
    threads.insert(key.thread_id);
    if (!kept->is_null()) {
      pipeline.add(set_before, kept->integer(), pack::Bytes{std::string(before)});
    } else if (auto restored = restore(pipeline, key, task_id, before); !restored) {
      co_return fail_with(std::move(restored.error()));
    }
  }
  pipeline.add(delete_undo, run_id);
  auto results = co_await connection.run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  co_return threads;
}

bool Batch::writes_to_anothers(const NewWrites& writes) const {
  if (writes.run_id.empty()) return false;
  const auto found = facts_.checkpoints.find(place_of(writes.key));
  return found != facts_.checkpoints.end() && found->second.run_id != writes.run_id;
}

Task<Outcome<void>> Batch::keep_for_undo(const NewWrites& writes) {
  Pipeline pipeline;
  writes_.take_checkpoints(pipeline);
  if (!pipeline.empty()) {
    if (auto written = co_await connection_.execute(std::move(pipeline)); !written)
      co_return fail_with(std::move(written.error()));
  }
  co_return co_await keep_task(connection_, writes.key, writes.task_id, writes.run_id);
}

}  // namespace dg::store::postgres
