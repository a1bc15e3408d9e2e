#include "store/sqlite/migrations.hpp"

#include <fmt/format.h>

#include <array>
#include <map>

namespace dg::store::sqlite {
namespace {

constexpr const char* create_table =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "version INTEGER PRIMARY KEY, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT";
constexpr std::string_view select_table = "SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'";
constexpr std::string_view select_applied =
    "SELECT version, checksum FROM schema_migrations ORDER BY version";
constexpr std::string_view select_newest = "SELECT coalesce(max(version), 0) FROM schema_migrations";
constexpr std::string_view insert_applied =
    "INSERT INTO schema_migrations (version, checksum, applied_at) VALUES (?, ?, ?)";

struct SchemaFile {
  std::int64_t version;
  std::string_view name;
  std::string_view text;
};

constexpr SchemaFile schema_files[] = {
#include "sqlite_schema.inc"
};

Status check_recorded(const std::map<std::int64_t, std::string>& applied) {
  const auto newest = std::end(schema_files)[-1].version;
  if (!applied.empty() && applied.rbegin()->first > newest)
    return fail(Errc::conflict,
                fmt::format("the database has schema version {}, this program knows {} at most: "
                            "start the newer release that made it",
                            applied.rbegin()->first, newest));
  for (const auto& file : schema_files) {
    const auto found = applied.find(file.version);
    if (found != applied.end() && found->second != sha256_hex(file.text))
      return fail(Errc::conflict, fmt::format("the database was made by another text of the schema file {}; "
                                              "it cannot be used by this program",
                                              file.name));
  }
  return {};
}

std::map<std::int64_t, std::string> read_applied(Database& db) {
  std::map<std::int64_t, std::string> applied;
  for (Query query(db, select_applied); query.next();) {
    const auto version = query.integer();
    applied.emplace(version, query.text());
  }
  return applied;
}

Status apply_missing(Database& db, const Clock& clock) {
  const auto applied = read_applied(db);
  if (auto status = check_recorded(applied); !status) return status;
  for (const auto& file : schema_files) {
    if (applied.contains(file.version)) continue;
    db.run_script(std::string(file.text));
    execute(db, insert_applied, file.version, sha256_hex(file.text), to_micros(clock.now()));
  }
  return {};
}

}  // namespace

Status migrate(Database& db, const Clock& clock) {
  // The lock comes first, so that two processes that start at once do not both apply a file.
  execute(db, "BEGIN IMMEDIATE");
  db.run_script(create_table);
  const auto refused = apply_missing(db, clock);
  if (!refused || db.failed()) {
    db.rollback();
    const auto failed = db.take_status();
    return refused ? failed : refused;
  }
  execute(db, "COMMIT");
  return db.take_status();
}

Status check_schema(Database& db) {
  Query table(db, select_table);
  const bool ours = table.next();
  if (auto status = db.take_status(); !status) return status;
  if (!ours) return fail(Errc::conflict, "it is no database of this program");
  const auto applied = read_applied(db);
  if (auto status = db.take_status(); !status) return status;
  if (auto recorded = check_recorded(applied); !recorded) return recorded;
  if (applied.size() == std::size(schema_files)) return {};
  return fail(Errc::conflict,
              fmt::format("the database has the schema version {}, this program has {}: serve it "
                          "once, which brings it up to date",
                          applied.empty() ? 0 : applied.rbegin()->first, std::end(schema_files)[-1].version));
}

std::int64_t schema_version(Database& db) {
  Query query(db, select_newest);
  return query.next() ? query.integer() : 0;
}

}  // namespace dg::store::sqlite
