// How the audit reads packs, and their rows as those of the tables.
#include <algorithm>
#include <map>
#include <tuple>

#include "store/documents.hpp"
#include "store/sqlite/audit_scans.hpp"
#include "store/sqlite/packs.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_packs =
    "SELECT id, thread_id, first_checkpoint_id, last_checkpoint_id, needs FROM packs ORDER BY thread_id, id";
constexpr std::string_view has_key = "SELECT 1 FROM pack_keys WHERE key = ? AND pack = ?";
constexpr std::string_view select_pack_of_run =
    "SELECT pack FROM heads WHERE aggregate_id = ? AND type = 'run'";
constexpr std::string_view select_packed_runs =
    "SELECT aggregate_id, pack FROM heads WHERE pack <> 0 ORDER BY aggregate_id, type";
constexpr std::string_view select_threads = "SELECT DISTINCT thread_id FROM packs ORDER BY thread_id";
constexpr std::string_view select_of_thread = "SELECT id FROM packs WHERE thread_id = ?";
constexpr std::string_view select_erased = "SELECT erased FROM heads WHERE aggregate_id = ? AND type = 'run'";

// Runs of many threads follow one another in the order of their ids: one pack of each is in use at a time.
constexpr std::size_t kept_packs = 64;

class PackScan final : public BatchScan<audit::StoredPack> {
 public:
  explicit PackScan(Database& db) : db_(db), query_(db, select_packs), packs_(db, 1) {}

 private:
  bool add_to(std::deque<audit::StoredPack>& out) override {
    if (!query_.next()) return false;
    audit::StoredPack pack;
    pack.id = query_.integer();
    pack.thread_id = query_.text();
    if (const auto held = packs_.read(pack.id)) {
      compare(*held, pack);
    } else {
      pack.damage = held.error().message;
    }
    out.push_back(std::move(pack));
    return true;
  }

  void compare(const HeldPack& held, audit::StoredPack& out) {
    const auto summary = pack::summary_of(held.thread_id, *held.contents);
    const auto expect = [&](bool right, std::string_view column) {
      if (!right) out.wrong_columns.push_back(column);
    };
    expect(query_.view() == summary.first_checkpoint_id, "first_checkpoint_id");
    expect(query_.view() == summary.last_checkpoint_id, "last_checkpoint_id");
    expect(query_.view() == summary.needs, "needs");
    expect(
        std::ranges::all_of(summary.keys, [&](auto key) { return Query(db_, has_key, key, held.id).next(); }),
        "entry in pack_keys");
    expect(std::ranges::all_of(held.contents->requests,
                               [&](const auto& row) { return leads_to(row.run_id, held.id); }),
           "entry in heads");
  }

  bool leads_to(const std::string& run_id, std::int64_t pack) {
    Query query(db_, select_pack_of_run, run_id);
    return query.next() && query.integer() == pack;
  }

  Database& db_;
  Query query_;
  Packs packs_;
};

audit::StoredEvent stored(const pack::EventRow& row, const std::string& thread_id) {
  audit::StoredEvent out;
  out.aggregate_id = row.run_id;
  out.aggregate = "run";
  out.version = row.version;
  out.type = row.type;
  out.payload = row.payload;
  out.thread_id = thread_id;
  out.seq = row.seq;
  out.at = from_micros(row.at);
  return out;
}

class PackedEvents final : public BatchScan<audit::StoredEvent> {
 public:
  explicit PackedEvents(Database& db) : runs_(db, select_packed_runs), packs_(db, kept_packs) {}

 private:
  bool add_to(std::deque<audit::StoredEvent>& out) override {
    if (!runs_.next()) return false;
    const auto run_id = runs_.text();
    const auto held = packs_.read(runs_.integer());
    if (!held) return true;
    for (const auto& row : held->contents->events)
      if (row.run_id == run_id) out.push_back(stored(row, held->thread_id));
    return true;
  }

  Query runs_;
  Packs packs_;
};

// What all packs of one thread hold of one kind, sorted.
template <class T>
class PackedOfThreads final : public BatchScan<T> {
 public:
  using Add = void (*)(Database& db, const HeldPack& held, std::deque<T>& out);
  using Before = bool (*)(const T& one, const T& other);

  PackedOfThreads(Database& db, Add add, Before before)
      : db_(db), threads_(db, select_threads), packs_(db, 1), add_(add), before_(before) {}

 private:
  bool add_to(std::deque<T>& out) override {
    if (!threads_.next()) return false;
    for (const auto id : pack_ids(db_, select_of_thread, threads_.text()))
      if (const auto held = packs_.read(id)) add_(db_, *held, out);
    std::ranges::stable_sort(out, before_);
    return true;
  }

  Database& db_;
  Query threads_;
  Packs packs_;
  Add add_;
  Before before_;
};

bool is_erased(Database& db, const std::string& run_id) {
  Query query(db, select_erased, run_id);
  return query.next() && query.flag();
}

void add_log(Database& db, const HeldPack& held, std::deque<audit::StoredEvent>& out) {
  std::map<std::string, bool> erased;
  for (const auto& row : held.contents->requests) erased[row.run_id] = is_erased(db, row.run_id);
  for (const auto& row : held.contents->events) {
    auto& event = out.emplace_back(stored(row, held.thread_id));
    event.erased = erased[row.run_id];
    if (event.type == "RunCreated") event.payload.clear();
  }
}

void add_checkpoints(Database& db, const HeldPack& held, std::deque<audit::StoredCheckpoint>& out) {
  for (const auto& row : held.contents->checkpoints) {
    auto& checkpoint = out.emplace_back();
    checkpoint.key = {held.thread_id, row.ns, row.checkpoint_id};
    checkpoint.run_id = row.run_id;
    checkpoint.writer_erased = !row.run_id.empty() && is_erased(db, row.run_id);
    checkpoint.versions = channel_versions(row.channel_versions);
    if (json::View(row.metadata)["run_id"].string() != row.metadata_run_id)
      checkpoint.wrong_columns.emplace_back("metadata_run_id");
    if (has_next(row.projection) != (row.has_next != 0)) checkpoint.wrong_columns.emplace_back("has_next");
  }
}

void add_values(Database&, const HeldPack& held, std::deque<audit::StoredValue>& out) {
  for (const auto& row : held.contents->values)
    out.push_back({held.thread_id, row.ns, {row.channel, row.version}});
}

class RunsWithRequests final : public audit::Scan<audit::ReadRow> {
 public:
  RunsWithRequests(Database& db, audit::Rows<audit::ReadRow> runs)
      : db_(db), runs_(std::move(runs)), packs_(db, kept_packs) {
    const auto names = audit::columns(audit::ReadTable::runs);
    place_ = static_cast<std::size_t>(std::ranges::find(names, "request") - names.begin());
  }

  const audit::ReadRow* next() override {
    const auto* const row = runs_->next();
    if (row == nullptr || row->columns.at(place_)) return row;
    row_ = *row;
    row_.columns[place_] = request_of(row->id);
    return &row_;
  }

 private:
  std::optional<std::string> request_of(const std::string& run_id) {
    for (const auto id : pack_ids(db_, select_pack_of_run, run_id)) {
      const auto held = packs_.read(id);
      if (!held) continue;
      for (const auto& row : held->contents->requests)
        if (row.run_id == run_id) return row.request;
    }
    return std::nullopt;
  }

  Database& db_;
  audit::Rows<audit::ReadRow> runs_;
  Packs packs_;
  std::size_t place_ = 0;
  audit::ReadRow row_;
};

}  // namespace

audit::Rows<audit::StoredPack> scan_packs(Database& db) {
  return std::make_unique<PackScan>(db);
}
audit::Rows<audit::StoredEvent> scan_packed_events(Database& db) {
  return std::make_unique<PackedEvents>(db);
}
audit::Rows<audit::StoredEvent> scan_packed_logs(Database& db) {
  return std::make_unique<PackedOfThreads<audit::StoredEvent>>(
      db, add_log, [](const auto& one, const auto& other) { return one.seq < other.seq; });
}
audit::Rows<audit::StoredCheckpoint> scan_packed_checkpoints(Database& db) {
  return std::make_unique<PackedOfThreads<audit::StoredCheckpoint>>(
      db, add_checkpoints, [](const auto& one, const auto& other) {
        return std::tie(one.key.ns, one.key.checkpoint_id) < std::tie(other.key.ns, other.key.checkpoint_id);
      });
}
audit::Rows<audit::StoredValue> scan_packed_values(Database& db) {
  return std::make_unique<PackedOfThreads<audit::StoredValue>>(
      db, add_values, [](const auto& one, const auto& other) {
        return std::tie(one.ns, one.version) < std::tie(other.ns, other.version);
      });
}
audit::Rows<audit::ReadRow> with_requests(Database& db, audit::Rows<audit::ReadRow> runs) {
  return std::make_unique<RunsWithRequests>(db, std::move(runs));
}

}  // namespace dg::store::sqlite
