// The rows of a server's runs, written again with nothing between them and SQLite.
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

#include "cli/bench/limits.hpp"

namespace dg::cli::bench {
namespace {

constexpr std::size_t runs_per_commit = 32;
constexpr std::size_t most_runs = 20'000;

constexpr const char* select_tables =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";

struct Close {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Db = std::unique_ptr<sqlite3, Close>;
using Statement = std::unique_ptr<sqlite3_stmt, Close>;

struct FreeValue {
  void operator()(sqlite3_value* value) const { sqlite3_value_free(value); }
};
using Row = std::vector<std::unique_ptr<sqlite3_value, FreeValue>>;

struct Table {
  std::string name;
  std::vector<Row> rows;
  Statement insert;
};

Db open(const std::string& path) {
  sqlite3* db = nullptr;
  if (sqlite3_open(path.c_str(), &db) != SQLITE_OK) {
    sqlite3_close_v2(db);
    return nullptr;
  }
  return Db(db);
}

bool execute(sqlite3* db, const std::string& sql) {
  return sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
}

Statement prepare(sqlite3* db, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr);
  return Statement(statement);
}

std::vector<std::string> first_column(sqlite3* db, const std::string& sql) {
  std::vector<std::string> out;
  const auto query = prepare(db, sql);
  while (query && sqlite3_step(query.get()) == SQLITE_ROW)
    out.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(query.get(), 0)));
  return out;
}

std::vector<Row> read_rows(sqlite3* db, const std::string& table, std::size_t most) {
  std::vector<Row> rows;
  const auto query = prepare(db, fmt::format("SELECT * FROM \"{}\" LIMIT {}", table, most));
  while (query && sqlite3_step(query.get()) == SQLITE_ROW) {
    auto& row = rows.emplace_back();
    for (int i = 0; i < sqlite3_column_count(query.get()); ++i)
      row.emplace_back(sqlite3_value_dup(sqlite3_column_value(query.get(), i)));
  }
  return rows;
}

bool insert(const Table& table, const Row& row) {
  int place = 0;
  for (const auto& value : row) sqlite3_bind_value(table.insert.get(), ++place, value.get());
  const bool done = sqlite3_step(table.insert.get()) == SQLITE_DONE;
  sqlite3_reset(table.insert.get());
  return done;
}

// Writes each table's share of the rows for `count` of `all` runs from `first` on.
bool insert_share(const Table& table, std::size_t first, std::size_t count, std::size_t all) {
  const auto end = table.rows.size() * (first + count) / all;
  for (auto i = table.rows.size() * first / all; i < end; ++i)
    if (!insert(table, table.rows[i])) return false;
  return true;
}

}  // namespace

Result<BareStore> measure_bare_sqlite(const std::filesystem::path& database, std::string_view what,
                                      Duration duration) {
  const ScratchFolder scratch("bench");
  const auto path = (scratch.path() / "bare.db").string();
  const auto source = open(database.string());
  const auto target = open(path);
  if (!source || !target) return fail(Errc::internal, "the databases of the bare loop cannot be opened");
  execute(target.get(), "PRAGMA journal_mode = WAL");
  execute(target.get(), "PRAGMA synchronous = FULL");
  execute(target.get(), "PRAGMA wal_autocheckpoint = 0");
  for (const auto& sql : first_column(
           source.get(), "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"))
    if (!execute(target.get(), sql)) return fail(Errc::internal, "the schema cannot be made again: " + sql);

  std::vector<Table> tables;
  std::size_t all = 0;
  std::size_t rows = 0;
  for (const auto& name : first_column(source.get(), select_tables)) {
    auto& table = tables.emplace_back();
    table.name = name;
    table.rows = read_rows(source.get(), name, most_runs * 4);
    if (name == what) all = table.rows.size();
    rows += table.rows.size();
    if (table.rows.empty()) continue;
    std::string places = "?";
    for (std::size_t i = 1; i < table.rows.front().size(); ++i) places += ", ?";
    table.insert = prepare(target.get(), fmt::format("INSERT INTO \"{}\" VALUES ({})", name, places));
  }
  if (all == 0) return fail(Errc::internal, fmt::format("the server wrote no {}", what));

  const auto began = std::chrono::steady_clock::now();
  std::size_t done = 0;
  while (done < all && std::chrono::steady_clock::now() - began < duration) {
    const auto count = std::min(runs_per_commit, all - done);
    bool written = execute(target.get(), "BEGIN IMMEDIATE");
    for (const auto& table : tables) written = written && insert_share(table, done, count, all);
    if (!written || !execute(target.get(), "COMMIT"))
      return fail(Errc::internal,
                  fmt::format("the rows cannot be written again: {}", sqlite3_errmsg(target.get())));
    done += count;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const auto log = static_cast<double>(std::filesystem::file_size(path + "-wal"));
  return BareStore{static_cast<double>(done) / took.count(),
                   static_cast<double>(rows) / static_cast<double>(all), log / static_cast<double>(done)};
}

std::vector<std::pair<std::string, double>> sqlite_rows_per_run(const std::filesystem::path& database) {
  std::vector<std::pair<std::string, double>> out;
  double runs = 0;
  const auto source = open(database.string());
  for (const auto& name : first_column(source.get(), select_tables)) {
    const auto counted = first_column(source.get(), fmt::format("SELECT count(*) FROM \"{}\"", name));
    const double rows = counted.empty() ? 0 : std::stod(counted.front());
    if (name == "runs") runs = rows;
    if (rows > 0) out.emplace_back(name, rows);
  }
  for (auto& [name, rows] : out) rows /= runs;
  // What is there once, as a worker's session, is not written for each run.
  std::erase_if(out, [](const auto& table) { return !(table.second > 0.01); });
  std::ranges::sort(out, std::ranges::greater{}, [](const auto& table) { return table.second; });
  return out;
}

}  // namespace dg::cli::bench
