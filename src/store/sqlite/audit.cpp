#include "store/sqlite/audit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tuple>

#include "store/audit/stored_rows.hpp"
#include "store/sqlite/audit_scans.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/read_only.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/unpack.hpp"

namespace dg::store {
namespace sqlite {
namespace {

using namespace audit;

constexpr std::string_view request_column = "request";
constexpr std::string_view select_heads =
    "SELECT aggregate_id, type, version, seq, turn, erased FROM heads ORDER BY aggregate_id, type";
constexpr std::string_view select_events =
    "SELECT aggregate_id, aggregate, version, type, thread_id, seq, at, 0, payload FROM events "
    "ORDER BY aggregate_id, aggregate, version";
constexpr std::string_view select_logs =
    "SELECT e.aggregate_id, e.aggregate, e.version, e.type, e.thread_id, e.seq, e.at, coalesce(h.erased, 0), "
    "CASE e.type WHEN 'RunCreated' THEN '' ELSE e.payload END FROM events AS e LEFT JOIN heads AS h "
    "ON h.aggregate_id = e.aggregate_id AND h.type = e.aggregate WHERE e.thread_id <> '' "
    "ORDER BY e.thread_id, e.seq, e.position";
constexpr std::string_view select_framed = "SELECT DISTINCT run_id FROM segments ORDER BY run_id";
constexpr std::string_view select_segments =
    "SELECT first_no, count, first_seq, data FROM segments WHERE run_id = ? ORDER BY first_no";
const std::string select_leases = fmt::format("SELECT {} FROM leases ORDER BY thread_id", lease_columns);

template <ReadTable table>
ReadRow read_read_row(Query& row) {
  ReadRow out;
  out.id = row.text();
  out.number = row.integer();
  for (std::size_t i = 0; i < columns(table).size(); ++i) out.columns.push_back(row.optional_text());
  return out;
}

// The columns of the table; requests have a table of their own.
template <ReadTable table>
std::vector<std::string> selected_columns() {
  std::vector<std::string> out;
  for (const auto name : columns(table))
    out.emplace_back(name == request_column ? "(SELECT request FROM requests WHERE run_id = runs.id)" : name);
  return out;
}

template <ReadTable table>
Rows<ReadRow> scan_read_rows(Database& db) {
  const bool numbered = key_columns(table).size() > 1;
  const auto sql = fmt::format("SELECT {0}{1}, {2} FROM {3} ORDER BY {0}{4}", key_columns(table)[0],
                               numbered ? ", number" : ", 0", fmt::join(selected_columns<table>(), ", "),
                               to_string(table), numbered ? ", number" : "");
  return scan(db, sql, read_read_row<table>);
}

// Where the rows of a snapshot come from, and how it ends.
class SqliteAudit final : public Audit {
 public:
  explicit SqliteAudit(ReadOnlyFile file) : file_(std::move(file)), db_(file_->db()) {
    execute(db_, "BEGIN");
  }
  explicit SqliteAudit(std::unique_ptr<Database> db) : own_(std::move(db)), db_(*own_) {
    execute(db_, "BEGIN");
  }

  std::vector<std::string> damage(std::size_t limit) override {
    std::vector<std::string> out;
    const auto sql = fmt::format("PRAGMA integrity_check({})", std::max<std::size_t>(limit, 1));
    for (Query query(db_, sql); query.next();)
      if (auto text = query.text(); text != "ok") out.push_back(std::move(text));
    return out;
  }

  Rows<StoredHead> heads() override { return scan(db_, select_heads, read_head<Query>); }
  Rows<StoredEvent> events() override {
    return merged(scan(db_, select_events, read_event<Query>), scan_packed_events(db_),
                  [](const StoredEvent& e) { return std::tie(e.aggregate_id, e.aggregate, e.version); });
  }
  Rows<StoredEvent> logs() override {
    return merged(scan(db_, select_logs, read_event<Query>), scan_packed_logs(db_),
                  [](const StoredEvent& e) { return std::tie(e.thread_id, e.seq); });
  }
  Rows<ReadRow> rows(ReadTable table) override {
    switch (table) {
      case ReadTable::assistants:
        return scan_read_rows<ReadTable::assistants>(db_);
      case ReadTable::assistant_versions:
        return scan_read_rows<ReadTable::assistant_versions>(db_);
      case ReadTable::threads:
        return scan_read_rows<ReadTable::threads>(db_);
      case ReadTable::runs:
        break;
    }
    return with_requests(db_, scan_read_rows<ReadTable::runs>(db_));
  }
  Rows<std::string> framed_runs() override { return scan(db_, select_framed, read_id<Query>); }
  Rows<StoredSegment> segments(const std::string& run_id) override {
    return scan(db_, select_segments, read_segment<Query>, run_id);
  }
  Rows<Lease> leases() override { return scan(db_, select_leases, read_lease<Query>); }
  Rows<NewestState> newest_states() override { return scan_newest_states(db_); }
  Rows<KeptState> kept_states() override { return scan_kept_states(db_); }
  Rows<StoredCheckpoint> checkpoints() override { return scan_checkpoints(db_); }
  Rows<StoredValue> values() override { return scan_values(db_); }
  Rows<StoredPack> packs() override { return scan_packs(db_); }
  Rows<StoredSeries> series(const std::string& thread_id) override { return scan_series(db_, thread_id); }
  Rows<StoredPart> parts(std::int64_t series) override { return scan_parts(db_, series); }
  Rows<SeriesUse> uses(const std::string& thread_id) override { return scan_uses(db_, thread_id); }
  Rows<std::int64_t> series_without_row() override { return scan_series_without_row(db_); }

  Status finish() override {
    if (auto status = db_.take_status(); !status) return status;
    db_.rollback();
    return file_ ? file_->undisturbed() : Status{};
  }

 private:
  std::optional<ReadOnlyFile> file_;
  std::unique_ptr<Database> own_;
  Database& db_;
};

class SqliteReadTables final : public ReadTables {
 public:
  explicit SqliteReadTables(std::unique_ptr<Database> db) : db_(std::move(db)) {}
  ~SqliteReadTables() override { db_->rollback(); }

  void erase(ReadTable table, const ReadRow& row) override {
    if (table == ReadTable::runs) {
      unpack_run(*db_, row.id);
      execute(*db_, "DELETE FROM requests WHERE run_id = ?", row.id);
    }
    if (table == ReadTable::assistant_versions) {
      execute(*db_, "DELETE FROM assistant_versions WHERE assistant_id = ? AND number = ?", row.id,
              row.number);
    } else {
      execute(*db_, fmt::format("DELETE FROM {} WHERE id = ?", to_string(table)), row.id);
    }
  }

  // The columns have their types, so that texts become the numbers that they are.
  void put(ReadTable table, const ReadRow& row) override {
    std::vector<std::string_view> names(key_columns(table).begin(), key_columns(table).end());
    std::vector<std::optional<std::string>> values{row.id};
    if (table == ReadTable::assistant_versions) values.emplace_back(std::to_string(row.number));
    for (std::size_t i = 0; i < row.columns.size(); ++i) {
      if (columns(table)[i] == request_column) {
        put_request(row.id, row.columns[i]);
      } else {
        names.push_back(columns(table)[i]);
        values.push_back(row.columns[i]);
      }
    }
    const std::vector<std::string_view> places(values.size(), "?");
    execute(*db_,
            fmt::format("INSERT INTO {} ({}) VALUES ({})", to_string(table), fmt::join(names, ", "),
                        fmt::join(places, ", ")),
            values);
  }

  Status commit() override {
    execute(*db_, "COMMIT");
    return db_->take_status();
  }

 private:
  void put_request(const std::string& run_id, const std::optional<std::string>& request) {
    unpack_run(*db_, run_id);
    execute(*db_, "INSERT OR REPLACE INTO requests (run_id, request) VALUES (?, ?)", run_id, request);
  }

  std::unique_ptr<Database> db_;
};

Error about(const std::filesystem::path& path, Error error) {
  error.message = fmt::format("{}: {}", path.string(), error.message);
  return error;
}

}  // namespace
}  // namespace sqlite

Result<std::unique_ptr<audit::Audit>> open_sqlite_audit(const std::filesystem::path& path) {
  auto file = sqlite::ReadOnlyFile::open(path);
  if (!file) return fail(file.error());
  if (auto known = sqlite::check_schema(file->db()); !known) return fail(sqlite::about(path, known.error()));
  return std::make_unique<sqlite::SqliteAudit>(std::move(*file));
}

Result<audit::Rebuilding> open_sqlite_rebuilding(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    return fail(Errc::not_found, fmt::format("{} does not exist", path.string()));
  auto writing = sqlite::Database::open({.path = path.string()});
  if (!writing) return fail(writing.error());
  if (auto known = sqlite::check_schema(**writing); !known) return fail(sqlite::about(path, known.error()));
  execute(**writing, "BEGIN IMMEDIATE");
  if (auto begun = (*writing)->take_status(); !begun)
    return fail(Errc::busy,
                fmt::format("another process writes to {}: {}", path.string(), begun.error().message));
  auto reading = sqlite::Database::open({.path = path.string()});
  if (!reading) return fail(reading.error());
  audit::Rebuilding out;
  out.tables = std::make_unique<sqlite::SqliteReadTables>(std::move(*writing));
  out.before = std::make_unique<sqlite::SqliteAudit>(std::move(*reading));
  return out;
}

}  // namespace dg::store
