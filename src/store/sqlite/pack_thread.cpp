#include "store/sqlite/pack_thread.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "store/documents.hpp"
#include "store/sqlite/pack_rows.hpp"
#include "store/sqlite/unpack.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view terminal = "('completed', 'failed', 'cancelled', 'timed_out')";
const std::string count_finished = fmt::format(
    "SELECT count(*) FROM (SELECT 1 FROM runs WHERE thread_id = ?1 AND packed = 0 AND state IN {} LIMIT "
    "?2)",
    terminal);
constexpr std::string_view count_without_run =
    "SELECT count(*) FROM (SELECT 1 FROM checkpoints WHERE thread_id = ?1 AND run_id = '' LIMIT ?2)";
const std::string select_finished = fmt::format(
    "SELECT id, (SELECT pack FROM heads WHERE aggregate_id = r.id AND type = 'run') FROM runs AS r WHERE "
    "thread_id = ? AND packed = 0 AND state IN {} ORDER BY id DESC",
    terminal);
// Those whose run is not over are not among them; the run is empty where there is none.
const std::string select_checkpoints = fmt::format(
    "SELECT c.ns, c.checkpoint_id, coalesce(r.id, '') FROM checkpoints AS c LEFT JOIN runs AS r ON r.id = "
    "c.run_id WHERE c.thread_id = ? AND (r.id IS NULL OR r.state IN {}) ORDER BY c.checkpoint_id",
    terminal);
constexpr std::string_view select_newest_root =
    "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ? AND ns = ''";

template <class Row>
std::string of_checkpoint(std::string_view table) {
  return fmt::format("SELECT {} FROM {} WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? ORDER BY rowid",
                     packed_columns<Row>, table);
}
const std::string select_checkpoint = of_checkpoint<pack::CheckpointRow>("checkpoints");
const std::string select_writes = of_checkpoint<pack::WriteRow>("checkpoint_writes");
const std::string select_tasks = of_checkpoint<pack::TaskRow>("checkpoint_tasks");
constexpr std::string_view delete_of_checkpoint[] = {
    "DELETE FROM checkpoints WHERE thread_id = ? AND ns = ? AND checkpoint_id = ?",
    "DELETE FROM checkpoint_writes WHERE thread_id = ? AND ns = ? AND checkpoint_id = ?",
    "DELETE FROM checkpoint_tasks WHERE thread_id = ? AND ns = ? AND checkpoint_id = ?",
};

const std::string select_value = fmt::format(
    "SELECT {} FROM checkpoint_values WHERE thread_id = ? AND ns = ? AND channel = ? AND version = ?",
    packed_columns<pack::ValueRow>);
constexpr std::string_view delete_value =
    "DELETE FROM checkpoint_values WHERE thread_id = ? AND ns = ? AND channel = ? AND version = ?";
constexpr std::string_view select_versions =
    "SELECT channel_versions FROM checkpoints WHERE thread_id = ? AND ns = ?";

const std::string select_events = fmt::format(
    "SELECT {} FROM events WHERE aggregate_id = ?1 AND aggregate = 'run' AND thread_id = ?2 ORDER BY version",
    packed_columns<pack::EventRow>);
constexpr std::string_view is_elsewhere =
    "SELECT 1 FROM events WHERE aggregate_id = ?1 AND aggregate = 'run' AND thread_id <> ?2 LIMIT 1";
const std::string select_request =
    fmt::format("SELECT {} FROM requests WHERE run_id = ?", packed_columns<pack::RequestRow>);
constexpr std::string_view delete_events = "DELETE FROM events WHERE aggregate_id = ? AND aggregate = 'run'";
constexpr std::string_view delete_request = "DELETE FROM requests WHERE run_id = ?";
constexpr std::string_view set_packed = "UPDATE runs SET packed = 1 WHERE id = ?";
constexpr std::string_view enter_pack = "UPDATE heads SET pack = ?2 WHERE aggregate_id = ?1 AND type = 'run'";

struct Loose {
  std::string ns;
  std::string checkpoint_id;
  std::string run_id;
};

std::size_t size_of(const std::string& column) {
  return column.size();
}
std::size_t size_of(const pack::Bytes& column) {
  return column.bytes.size();
}
std::size_t size_of(std::int64_t) {
  return sizeof(std::int64_t);
}

using ChannelVersion = std::pair<std::string, std::string>;

class Packing {
 public:
  Packing(Database& db, const std::string& thread_id, const PackLimits& limits)
      : db_(db), thread_id_(thread_id), limits_(limits) {
    find_runs();
    find_checkpoints();
  }

  // Says whether more is left.
  bool run() {
    for (const auto& run_id : runs_) {
      if (full()) break;
      take_run(run_id);
      take_checkpoints([&](const Loose& c) { return c.run_id == run_id; });
    }
    // Those without a run, and those whose run's events are in a pack already.
    take_checkpoints([](const Loose&) { return true; });
    take_values();
    if (out_.checkpoints.empty() && out_.requests.empty()) return false;
    store();
    return full();
  }

 private:
  bool full() const { return bytes_ >= limits_.bytes; }

  // Oldest first, without the newest ones.
  void find_runs() {
    std::int64_t place = 0;
    for (Query query(db_, select_finished, thread_id_); query.next(); ++place) {
      auto run_id = query.text();
      if (place < limits_.keep) {
        kept_.insert(std::move(run_id));
      } else if (query.integer() == 0) {
        runs_.push_back(std::move(run_id));
      }
    }
    std::ranges::reverse(runs_);
  }

  // In the order of their ids, without the newest ones.
  void find_checkpoints() {
    for (Query query(db_, select_checkpoints, thread_id_); query.next();) {
      Loose c;
      c.ns = query.text();
      c.checkpoint_id = query.text();
      c.run_id = query.text();
      if (!kept_.contains(c.run_id)) loose_.push_back(std::move(c));
    }
    std::string newest_root;
    if (Query query(db_, select_newest_root, thread_id_); query.next()) newest_root = query.text();
    std::erase_if(loose_, [&](const Loose& c) { return c.ns.empty() && c.checkpoint_id == newest_root; });
    auto without_run = std::ranges::count_if(loose_, [](const Loose& c) { return c.run_id.empty(); });
    std::erase_if(loose_, [&](const Loose& c) { return c.run_id.empty() && without_run-- <= limits_.keep; });
  }

  void take_run(const std::string& run_id) {
    if (Query elsewhere(db_, is_elsewhere, run_id, thread_id_); elsewhere.next()) return;
    const auto events = out_.events.size();
    const auto requests = out_.requests.size();
    const auto bytes = bytes_;
    take(out_.events, select_events, run_id, thread_id_);
    take(out_.requests, select_request, run_id);
    if (out_.events.size() > events && out_.requests.size() > requests) return;
    // A run of which one or the other is missing stays as it is.
    out_.events.resize(events);
    out_.requests.resize(requests);
    bytes_ = bytes;
  }

  template <class Wanted>
  void take_checkpoints(Wanted wanted) {
    std::erase_if(loose_, [&](const Loose& c) {
      if (full() || !wanted(c)) return false;
      take_checkpoint(c);
      return true;
    });
  }

  void take_checkpoint(const Loose& c) {
    take(out_.checkpoints, select_checkpoint, thread_id_, c.ns, c.checkpoint_id);
    take(out_.writes, select_writes, thread_id_, c.ns, c.checkpoint_id);
    take(out_.tasks, select_tasks, thread_id_, c.ns, c.checkpoint_id);
    for (const auto statement : delete_of_checkpoint)
      execute(db_, statement, thread_id_, c.ns, c.checkpoint_id);
  }

  // A pack has all that its checkpoints name. What checkpoints outside of it name too stays a row as well.
  void take_values() {
    std::map<std::string, std::set<ChannelVersion>> spaces;
    for (const auto& row : out_.checkpoints)
      for (auto& entry : channel_versions(row.channel_versions)) spaces[row.ns].insert(std::move(entry));
    for (const auto& [ns, named] : spaces) {
      std::set<ChannelVersion> elsewhere;
      for (Query query(db_, select_versions, thread_id_, ns); query.next();)
        for (auto& entry : channel_versions(query.view())) elsewhere.insert(std::move(entry));
      for (const auto& entry : named) {
        take(out_.values, select_value, thread_id_, ns, entry.first, entry.second);
        if (!elsewhere.contains(entry)) execute(db_, delete_value, thread_id_, ns, entry.first, entry.second);
      }
    }
  }

  template <class Row, class... Values>
  void take(std::vector<Row>& out, std::string_view sql, const Values&... values) {
    const auto before = out.size();
    take_rows(db_, sql, out, values...);
    for (auto i = before; i < out.size(); ++i)
      std::apply([&](auto... member) { ((bytes_ += size_of(out[i].*member)), ...); }, Row::columns());
  }

  void store() {
    const auto id = insert_pack(db_, thread_id_, out_);
    for (const auto& row : out_.requests) {
      execute(db_, delete_request, row.run_id);
      execute(db_, set_packed, row.run_id);
      execute(db_, delete_events, row.run_id);
      execute(db_, enter_pack, row.run_id, id);
    }
  }

  Database& db_;
  const std::string& thread_id_;
  const PackLimits& limits_;
  std::vector<std::string> runs_;
  std::set<std::string> kept_;  // finished runs whose rows stay
  std::vector<Loose> loose_;    // checkpoints that may be packed
  pack::Contents out_;
  std::size_t bytes_ = 0;
};

}  // namespace

bool has_to_pack(Database& db, const std::string& thread_id, const PackLimits& limits) {
  std::int64_t count = 0;
  for (const std::string_view sql : {std::string_view(count_finished), count_without_run}) {
    Query query(db, sql, thread_id, limits.after + 1);
    if (query.next()) count += query.integer();
  }
  return count > limits.after;
}

bool pack_thread(Database& db, const std::string& thread_id, const PackLimits& limits) {
  return Packing(db, thread_id, limits).run();
}

}  // namespace dg::store::sqlite
