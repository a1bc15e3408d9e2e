#include "store/sqlite/undo.hpp"

#include <fmt/format.h>

#include <vector>

#include "store/pack/pack.hpp"
#include "store/sqlite/pack_rows.hpp"
#include "store/sqlite/unpack.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view is_of_another =
    "SELECT 1 FROM checkpoints WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? AND run_id <> ?";
constexpr std::string_view is_kept =
    "SELECT 1 FROM checkpoint_undo WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? AND task_id = ? AND "
    "run_id = ?";
constexpr std::string_view insert_undo =
    "INSERT INTO checkpoint_undo (thread_id, ns, checkpoint_id, task_id, run_id, before) "
    "VALUES (?, ?, ?, ?, ?, ?)";
constexpr std::string_view select_undo =
    "SELECT id, thread_id, ns, checkpoint_id, task_id, before FROM checkpoint_undo WHERE run_id = ? ORDER BY "
    "id";
constexpr std::string_view select_later =
    "SELECT id FROM checkpoint_undo WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? AND task_id = ? AND "
    "id > ? ORDER BY id LIMIT 1";
constexpr std::string_view set_before = "UPDATE checkpoint_undo SET before = ?2 WHERE id = ?1";
constexpr std::string_view delete_undo = "DELETE FROM checkpoint_undo WHERE run_id = ?";
constexpr std::string_view delete_of_erased =
    "DELETE FROM checkpoint_undo AS u WHERE thread_id = ? AND NOT EXISTS (SELECT 1 FROM checkpoints AS c "
    "WHERE c.thread_id = u.thread_id AND c.ns = u.ns AND c.checkpoint_id = u.checkpoint_id)";

template <class Row>
std::string select_of_task(std::string_view table) {
  return fmt::format(
      "SELECT {} FROM {} WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? AND task_id = ? ORDER BY rowid",
      packed_columns<Row>, table);
}
const std::string select_writes = select_of_task<pack::WriteRow>("checkpoint_writes");
const std::string select_patch = select_of_task<pack::TaskRow>("checkpoint_tasks");
constexpr std::string_view delete_of_task[] = {
    "DELETE FROM checkpoint_writes WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? AND task_id = ?",
    "DELETE FROM checkpoint_tasks WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? AND task_id = ?",
};

struct Undo {
  std::int64_t id = 0;
  CheckpointKey key;
  std::string task_id;
  std::string before;
};

std::vector<Undo> undo_of(Database& db, const std::string& run_id) {
  std::vector<Undo> out;
  for (Query query(db, select_undo, run_id); query.next();) {
    auto& undo = out.emplace_back();
    undo.id = query.integer();
    undo.key.thread_id = query.text();
    undo.key.ns = query.text();
    undo.key.checkpoint_id = query.text();
    undo.task_id = query.text();
    undo.before = query.text();
  }
  return out;
}

void restore(Database& db, const Undo& undo) {
  const auto& key = undo.key;
  const auto before = pack::decode(undo.before);
  if (!before) {
    return db.fail_with({Errc::internal,
                         fmt::format("what the run replaced in the checkpoint {} of the thread {} cannot be "
                                     "read: {}",
                                     key.checkpoint_id, key.thread_id, before.error().message),
                         {}});
  }
  unpack_checkpoint(db, key);
  for (const auto statement : delete_of_task)
    execute(db, statement, key.thread_id, key.ns, key.checkpoint_id, undo.task_id);
  insert_rows(db, key.thread_id, *before);
}

}  // namespace

void keep_for_undo(Database& db, const NewWrites& writes) {
  const auto& [thread_id, ns, checkpoint_id] = writes.key;
  if (writes.run_id.empty()) return;
  if (Query another(db, is_of_another, thread_id, ns, checkpoint_id, writes.run_id); !another.next()) return;
  if (Query kept(db, is_kept, thread_id, ns, checkpoint_id, writes.task_id, writes.run_id); kept.next())
    return;
  pack::Contents before;
  take_rows(db, select_writes, before.writes, thread_id, ns, checkpoint_id, writes.task_id);
  take_rows(db, select_patch, before.tasks, thread_id, ns, checkpoint_id, writes.task_id);
  execute(db, insert_undo, thread_id, ns, checkpoint_id, writes.task_id, writes.run_id,
          Blob{pack::encode(before)});
}

void undo_writes_of(WriteContext& context, const std::string& run_id) {
  auto& db = context.db;
  for (const auto& undo : undo_of(db, run_id)) {
    const auto& key = undo.key;
    std::int64_t later = 0;
    if (Query query(db, select_later, key.thread_id, key.ns, key.checkpoint_id, undo.task_id, undo.id);
        query.next())
      later = query.integer();
    if (later != 0) {
      execute(db, set_before, later, Blob{undo.before});
    } else {
      restore(db, undo);
    }
    context.refresh(key.thread_id);
  }
  execute(db, delete_undo, run_id);
}

void forget_undo_of_erased(Database& db, const std::string& thread_id) {
  execute(db, delete_of_erased, thread_id);
}

}  // namespace dg::store::sqlite
