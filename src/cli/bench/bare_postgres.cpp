// The rows of a server's runs, written again with nothing between them and PostgreSQL: one connection, one
// round trip for each commit, one statement for each table.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libpq-fe.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "cli/bench/limits.hpp"
#include "store/postgres/params.hpp"
#include "store/postgres/schema.hpp"
#include "store/postgres/tables.hpp"

namespace dg::cli::bench {
namespace {

using store::postgres::Conninfo;
using store::postgres::put_big_endian;

constexpr std::size_t runs_per_transaction = 32;
constexpr std::size_t most_rows = 400'000;  // of a table
constexpr int binary = 1;

// What is filled in when the schema is made is no part of a run.
constexpr const char* select_columns = R"(
  SELECT c.relname, a.attname, a.atttypid, t.typarray
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid JOIN pg_type AS t ON t.oid = a.atttypid
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname NOT IN ('schema_migrations', 'outbox_shards', 'outbox_state')
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = ''
  ORDER BY c.relname, a.attnum)";

// The server deletes these once NATS was told, so they are read off what they were about.
constexpr const char* select_outbox = R"(
  SELECT abs(hashtext(aggregate_id))::bigint % 64 AS shard, aggregate_type, aggregate_id,
    1::bigint AS first_version, version AS last_version
  FROM event_streams)";

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};
using Session = std::unique_ptr<PGconn, Finish>;
using Answer = std::unique_ptr<PGresult, Finish>;

struct ColumnRows {
  std::string name;
  Oid type = 0;
  Oid array = 0;
  std::vector<std::optional<std::string>> values;
};

struct TableRows {
  std::string name;
  std::vector<ColumnRows> columns;
  std::size_t count() const { return columns.front().values.size(); }
};

std::unexpected<Error> failed_on(const Session& db) {
  return fail(Errc::unavailable,
              fmt::format("PostgreSQL refuses the bare loop: {}", PQerrorMessage(db.get())));
}

Session connect(const Conninfo& conninfo) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : conninfo) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  Session db(PQconnectdbParams(keywords.data(), values.data(), 0));
  PQsetNoticeProcessor(db.get(), [](void*, const char*) {}, nullptr);
  return db;
}

bool is_good(const Answer& answer) {
  const auto status = PQresultStatus(answer.get());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

Answer ask(const Session& db, const std::string& sql) {
  return Answer(PQexec(db.get(), sql.c_str()));
}

double number(const Session& db, const std::string& sql) {
  const auto answer = ask(db, sql);
  return PQntuples(answer.get()) == 1 ? std::strtod(PQgetvalue(answer.get(), 0, 0), nullptr) : 0;
}

std::string names_of(const TableRows& table) {
  std::vector<std::string> names;
  for (const auto& column : table.columns) names.push_back(column.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<TableRows> read_tables(const Session& db) {
  std::vector<TableRows> tables;
  const auto found = ask(db, select_columns);
  for (int i = 0; i < PQntuples(found.get()); ++i) {
    const auto text = [&](int column) { return PQgetvalue(found.get(), i, column); };
    const auto oid = [&](int column) { return static_cast<Oid>(std::strtoul(text(column), nullptr, 10)); };
    if (tables.empty() || tables.back().name != text(0)) tables.push_back({text(0), {}});
    tables.back().columns.push_back({text(1), oid(2), oid(3), {}});
  }
  return tables;
}

bool read_rows(const Session& db, TableRows& table) {
  const auto from = table.name == "outbox" ? fmt::format("({}) AS outbox", select_outbox) : table.name;
  const auto sql = fmt::format("SELECT {} FROM {} LIMIT {}", names_of(table), from, most_rows);
  const Answer rows(PQexecParams(db.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, binary));
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const auto column = static_cast<int>(c);
    for (int i = 0; i < PQntuples(rows.get()); ++i) {
      auto& value = table.columns[c].values.emplace_back();
      if (PQgetisnull(rows.get(), i, column) == 0)
        value.emplace(PQgetvalue(rows.get(), i, column),
                      static_cast<std::size_t>(PQgetlength(rows.get(), i, column)));
    }
  }
  return is_good(rows);
}

bool prepare(const Session& db, const TableRows& table) {
  std::vector<Oid> types;
  for (const auto& column : table.columns) types.push_back(column.array);
  const auto sql = store::postgres::insert_rows(table.name, names_of(table));
  return is_good(Answer(
      PQprepare(db.get(), table.name.c_str(), sql.c_str(), static_cast<int>(types.size()), types.data())));
}

// Some values of a column as an array on the wire.
std::string array_of(const ColumnRows& column, std::size_t first, std::size_t end) {
  constexpr std::int32_t null = -1;
  std::string out;
  for (const std::int32_t head :
       {1, 1, static_cast<std::int32_t>(column.type), static_cast<std::int32_t>(end - first), 1})
    put_big_endian(out, head);
  for (auto i = first; i < end; ++i) {
    const auto& value = column.values[i];
    put_big_endian(out, value ? static_cast<std::int32_t>(value->size()) : null);
    if (value) out += *value;
  }
  return out;
}

// Sends each table's share of the rows for `count` of `all` runs from `first` on.
bool send_share(const Session& db, const TableRows& table, std::size_t first, std::size_t count,
                std::size_t all) {
  const auto begin = table.count() * first / all;
  const auto end = table.count() * (first + count) / all;
  if (begin == end) return true;
  std::vector<std::string> arrays;
  for (const auto& column : table.columns) arrays.push_back(array_of(column, begin, end));
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const auto& array : arrays) {
    values.push_back(array.data());
    lengths.push_back(static_cast<int>(array.size()));
  }
  const std::vector<int> formats(arrays.size(), binary);
  return PQsendQueryPrepared(db.get(), table.name.c_str(), static_cast<int>(values.size()), values.data(),
                             lengths.data(), formats.data(), binary) == 1;
}

// Whether everything up to the next synchronisation, which is one transaction, has happened.
bool receive_commit(const Session& db) {
  bool good = PQpipelineSync(db.get()) == 1;
  while (PQstatus(db.get()) == CONNECTION_OK) {
    const Answer answer(PQgetResult(db.get()));
    if (!answer) continue;  // between the answers of two statements
    if (PQresultStatus(answer.get()) == PGRES_PIPELINE_SYNC) return good;
    good = good && is_good(answer);
  }
  return false;
}

Status make_schema(const Session& db) {
  for (const auto& file : store::postgres::schema_files())
    if (!is_good(ask(db, store::postgres::script_of(file)))) return failed_on(db);
  if (!is_good(ask(db, "SET plan_cache_mode = force_generic_plan"))) return failed_on(db);
  return {};
}

}  // namespace

Result<BareStore> measure_bare_postgres(const Conninfo& from, const Conninfo& to, std::string_view what,
                                        Duration duration) {
  const auto source = connect(from);
  const auto target = connect(to);
  if (PQstatus(source.get()) != CONNECTION_OK) return failed_on(source);
  if (PQstatus(target.get()) != CONNECTION_OK) return failed_on(target);
  if (auto made = make_schema(target); !made) return fail(made.error());
  auto tables = read_tables(source);
  std::size_t all = 0;
  std::size_t rows = 0;
  for (auto& table : tables) {
    if (!read_rows(source, table)) return failed_on(source);
    if (!prepare(target, table)) return failed_on(target);
    if (table.name == what) all = table.count();
    rows += table.count();
  }
  if (all == 0) return fail(Errc::internal, fmt::format("the server wrote no {}", what));

  constexpr const char* written = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn";
  const auto log_before = number(target, written);
  PQenterPipelineMode(target.get());
  const auto began = std::chrono::steady_clock::now();
  std::size_t done = 0;
  while (done < all && std::chrono::steady_clock::now() - began < duration) {
    const auto count = std::min(runs_per_transaction, all - done);
    bool sent = true;
    for (const auto& table : tables) sent = sent && send_share(target, table, done, count, all);
    if (!receive_commit(target) || !sent) return failed_on(target);
    done += count;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  PQexitPipelineMode(target.get());
  const auto log = number(target, written) - log_before;
  return BareStore{static_cast<double>(done) / took.count(),
                   static_cast<double>(rows) / static_cast<double>(all), log / static_cast<double>(done)};
}

std::vector<std::pair<std::string, double>> postgres_rows_per_run(const Conninfo& database) {
  std::vector<std::pair<std::string, double>> out;
  const auto db = connect(database);
  const auto runs = number(db, "SELECT count(*) FROM runs");
  for (const auto& table : read_tables(db)) {
    const auto rows = number(db, fmt::format("SELECT count(*) FROM {}", table.name));
    // What is there once, as a worker's session, is not written for each run.
    if (runs > 0 && rows / runs > 0.01) out.emplace_back(table.name, rows / runs);
  }
  std::ranges::sort(out, std::ranges::greater{}, [](const auto& table) { return table.second; });
  return out;
}

}  // namespace dg::cli::bench
