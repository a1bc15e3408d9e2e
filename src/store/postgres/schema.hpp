// The schema files of deploy/sql, which people apply with psql and the program by itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dg::store::postgres {

struct SchemaFile {
  std::int64_t version;   // the number that its name begins with
  std::string_view name;  // "001_init.sql"
  std::string_view text;
};

// The whole schema of this release, in the order in which its files are applied.
std::span<const SchemaFile> schema_files();

// What brings databases of older releases to it, in order: deploy/sql/upgrade. Each is a schema of its own.
std::span<const SchemaFile> schema_upgrades();

// Which schema this release has: the number of its newest file.
std::int64_t schema_number();

// The statements of a file, without the lines that only psql understands.
std::string script_of(const SchemaFile& file);

// The same in the parts that are to be sent one by one: each statement before BEGIN, which is one that
// PostgreSQL does in no transaction, such as CREATE INDEX CONCURRENTLY; and last the transaction.
std::vector<std::string> parts_of(const SchemaFile& file);

// The names of what the schema has of a kind, "TABLE" or "INDEX".
std::vector<std::string> made_by_schema(std::string_view kind);

}  // namespace dg::store::postgres
